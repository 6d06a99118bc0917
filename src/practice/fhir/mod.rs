//! FHIR R4 over HTTPS: the first adapter of [`super::PracticeSystem`].
