//! What a rule may look at: plain data, that knows no rule.

pub mod asset;
pub mod event;
pub mod flow;
pub mod frame;
pub mod time;
pub mod verdict;
