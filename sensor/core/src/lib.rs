//! The still heart.
