//! A file that goes to a store piece by piece while it is written.

use std::sync::Arc;

use bytes::Bytes;
use datafusion::parquet::arrow::async_writer::AsyncFileWriter;
use datafusion::parquet::errors::{ParquetError, Result};
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload};
use tokio::task::JoinSet;

/// Bytes of a piece, and pieces under way at a time.
const PIECE: usize = 8 << 20;
const PIECES: usize = 2;

/// A file of a store. One of less than a piece is sent at its end, at once; of a longer one nothing is to
/// be seen before its end, either. What is neither finished nor given up by [`Self::abort`] is given up
/// when it is dropped, as far as the process lives on: a store keeps pieces until it is told.
#[derive(Debug)]
pub struct Upload {
    store: Arc<dyn ObjectStore>,
    path: Path,
    /// What the next piece has so far.
    waiting: Vec<Bytes>,
    bytes: usize,
    pieces: Option<Pieces>,
}

#[derive(Debug)]
struct Pieces {
    upload: Box<dyn MultipartUpload>,
    sent: JoinSet<object_store::Result<()>>,
}

impl Pieces {
    /// Waits until at most `most` pieces are under way.
    async fn wait(&mut self, most: usize) -> Result<()> {
        while self.sent.len() > most {
            if let Some(sent) = self.sent.join_next().await {
                sent.map_err(external)?.map_err(external)?;
            }
        }
        Ok(())
    }

    async fn abort(mut self) {
        self.sent.shutdown().await;
        // Not to be told is all that can go wrong, and then it is the store's own rules that hold.
        let _ = self.upload.abort().await;
    }
}

fn external(cause: impl std::error::Error + Send + Sync + 'static) -> ParquetError {
    ParquetError::External(Box::new(cause))
}

impl Upload {
    /// To `path`; nothing is sent yet.
    pub fn new(store: Arc<dyn ObjectStore>, path: Path) -> Self {
        Self { store, path, waiting: Vec::new(), bytes: 0, pieces: None }
    }

    async fn take(&mut self, mut bytes: Bytes) -> Result<()> {
        while self.bytes + bytes.len() >= PIECE {
            self.waiting.push(bytes.split_to(PIECE - self.bytes));
            self.send().await?;
        }
        self.bytes += bytes.len();
        self.waiting.push(bytes);
        Ok(())
    }

    /// Sends what waits as a piece.
    async fn send(&mut self) -> Result<()> {
        let payload = self.payload();
        if self.pieces.is_none() {
            let upload = self.store.put_multipart(&self.path).await.map_err(external)?;
            self.pieces = Some(Pieces { upload, sent: JoinSet::new() });
        }
        if let Some(pieces) = &mut self.pieces {
            pieces.wait(PIECES - 1).await?;
            let piece = pieces.upload.put_part(payload);
            pieces.sent.spawn(piece);
        }
        Ok(())
    }

    fn payload(&mut self) -> PutPayload {
        self.bytes = 0;
        std::mem::take(&mut self.waiting).into_iter().collect()
    }

    async fn finish(&mut self) -> Result<()> {
        if self.pieces.is_none() {
            let payload = self.payload();
            self.store.put(&self.path, payload).await.map_err(external)?;
            return Ok(());
        }
        if self.bytes > 0 {
            self.send().await?;
        }
        if let Some(pieces) = &mut self.pieces {
            pieces.wait(0).await?;
            pieces.upload.complete().await.map_err(external)?;
        }
        self.pieces = None;
        Ok(())
    }

    /// Gives it up; nothing of it is left in the store that could be told.
    pub async fn abort(mut self) {
        if let Some(pieces) = self.pieces.take() {
            pieces.abort().await;
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let (Some(pieces), Ok(runtime)) =
            (self.pieces.take(), tokio::runtime::Handle::try_current())
        {
            runtime.spawn(pieces.abort());
        }
    }
}

impl AsyncFileWriter for Upload {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<()>> {
        self.take(bytes).boxed()
    }

    fn complete(&mut self) -> BoxFuture<'_, Result<()>> {
        self.finish().boxed()
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;

    #[test]
    fn pieces_come_together_again() {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            for len in [0, 5, PIECE - 1, PIECE, 2 * PIECE + 3] {
                let path = Path::from(format!("of-{len}"));
                let content: Vec<u8> = (0..len).map(|i| (i * 31 / 7) as u8).collect();
                let mut upload = Upload::new(Arc::clone(&store), path.clone());
                for part in content.chunks(3 * PIECE / 4) {
                    upload.write(Bytes::copy_from_slice(part)).await.unwrap();
                }
                assert!(store.head(&path).await.is_err(), "nothing is to be seen yet");
                upload.complete().await.unwrap();
                let found = store.get(&path).await.unwrap().bytes().await.unwrap();
                assert!(found == content, "{len}");
            }
            let mut upload = Upload::new(Arc::clone(&store), Path::from("given-up"));
            upload.write(vec![0; PIECE + 1].into()).await.unwrap();
            upload.abort().await;
            assert!(store.head(&Path::from("given-up")).await.is_err());
        });
    }
}
