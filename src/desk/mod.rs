//! The Wellbeing Coordinator's desk.
