//! Stand-in.
/// Templates.
#[derive(Debug)]
pub struct Templates;
