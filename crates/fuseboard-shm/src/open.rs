//! Opens a host's table, makes it or looks at it; or says that this system has none.

#[cfg(shares_tables)]
mod host;
#[cfg(not(shares_tables))]
mod refused;

#[cfg(shares_tables)]
pub use self::host::{find, look, open};
#[cfg(not(shares_tables))]
pub use self::refused::{find, look, open};
