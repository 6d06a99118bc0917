//! (written in this slice)
