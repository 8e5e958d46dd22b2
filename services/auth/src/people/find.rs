//! Whom an address belongs to.

use storage::StorageError;

use super::{directory, store};
use crate::ids::UserId;
use crate::provider::Provider;

/// Who logs in with that. For the operator: everybody else is told the same of every address.
pub async fn find(provider: &Provider, typed: &str) -> Result<Option<UserId>, StorageError> {
    let lookup = provider.directory.lookup(&directory::normalize(typed));
    Ok(store::find(&provider.pool, &lookup).await?.map(|login| login.id))
}
