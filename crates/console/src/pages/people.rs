//! Spaces with their managers, and principals with their tokens.

use crate::route::Entry;

mod principals;
mod spaces;

pub(crate) fn routes() -> Vec<Entry> {
    let mut routes = spaces::routes();
    routes.extend(principals::routes());
    routes
}
