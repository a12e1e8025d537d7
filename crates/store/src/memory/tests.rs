use super::*;
use crate::conformance::Backend;

/// The store that is open, so that a second opening finds what the first one left.
#[derive(Default)]
struct InMemory(std::sync::Mutex<Arc<Memory>>);

#[async_trait]
impl Backend for InMemory {
    async fn open(&self) -> Arc<dyn Store> {
        let mut open = self.0.lock().unwrap();
        *open = Arc::new(open.reopen());
        Arc::clone(&*open) as Arc<dyn Store>
    }

    async fn overwrite(&self, table: Table, key: &[u8], value: &[u8]) {
        let open = self.0.lock().unwrap();
        open.danger_overwrite_for_tests(table, key, Bytes::copy_from_slice(value));
    }
}

crate::conformance!(conformance, InMemory::default());
