//! The breaker: its calls, their permits and what their ends mean.

pub(crate) mod blocks;
pub(crate) mod calls;
pub(crate) mod class;
pub(crate) mod methods;
pub(crate) mod nesting;
pub(crate) mod permit;
pub(crate) mod verdict;
