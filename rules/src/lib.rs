//! Facts, and what is thought of them.
