//! A file that goes to a store piece by piece while it is written.

use std::io::{self, Write};
use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, Result};
use tokio::task::JoinSet;

/// Bytes of a piece, and pieces under way at a time.
const PIECE: usize = 8 << 20;
const PIECES: usize = 2;

/// What has been written of a file and is not sent yet, in pieces: one long buffer would be copied
/// whenever it grows.
#[derive(Debug, Default)]
pub struct Spool {
    full: Vec<Bytes>,
    last: Vec<u8>,
}

impl Spool {
    /// The pieces that are full.
    pub fn full(&mut self) -> Vec<Bytes> {
        std::mem::take(&mut self.full)
    }
}

impl Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.last.capacity() == 0 {
            self.last.reserve_exact(PIECE);
        }
        let taken = bytes.len().min(PIECE - self.last.len());
        self.last.extend_from_slice(&bytes[..taken]);
        if self.last.len() == PIECE {
            self.full.push(std::mem::take(&mut self.last).into());
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file of a store. One of less than a piece is sent at its end, at once; of a longer one nothing is to
/// be seen before its end, either. What is neither finished nor given up by [`Self::abort`] is given up
/// when it is dropped, as far as the process lives on: a store keeps pieces until it is told.
#[derive(Debug)]
pub struct Upload {
    store: Arc<dyn ObjectStore>,
    path: Path,
    pieces: Option<Pieces>,
}

#[derive(Debug)]
struct Pieces {
    upload: Box<dyn MultipartUpload>,
    sent: JoinSet<Result<()>>,
}

impl Pieces {
    /// Waits until at most `most` pieces are under way.
    async fn wait(&mut self, most: usize) -> Result<()> {
        while self.sent.len() > most {
            if let Some(sent) = self.sent.join_next().await {
                sent??;
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

impl Upload {
    /// To `path`; nothing is sent yet.
    pub fn new(store: Arc<dyn ObjectStore>, path: Path) -> Self {
        Self { store, path, pieces: None }
    }

    /// Sends the next piece, as soon as few enough are under way.
    ///
    /// # Errors
    /// What the store says, of this or an earlier piece.
    pub async fn send(&mut self, piece: Bytes) -> Result<()> {
        let pieces = match &mut self.pieces {
            Some(pieces) => pieces,
            none => {
                let upload = self.store.put_multipart(&self.path).await?;
                none.insert(Pieces { upload, sent: JoinSet::new() })
            }
        };
        pieces.wait(PIECES - 1).await?;
        let sending = pieces.upload.put_part(piece.into());
        pieces.sent.spawn(sending);
        Ok(())
    }

    /// Sends what is left: the file is there.
    ///
    /// # Errors
    /// What the store says; then it is still to be given up.
    pub async fn finish(&mut self, mut rest: Spool) -> Result<()> {
        for piece in rest.full() {
            self.send(piece).await?;
        }
        if self.pieces.is_none() {
            self.store.put(&self.path, rest.last.into()).await?;
            return Ok(());
        }
        if !rest.last.is_empty() {
            self.send(rest.last.into()).await?;
        }
        if let Some(pieces) = &mut self.pieces {
            pieces.wait(0).await?;
            pieces.upload.complete().await?;
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
                let (mut upload, mut spool) =
                    (Upload::new(Arc::clone(&store), path.clone()), Spool::default());
                for part in content.chunks(3 * PIECE / 4) {
                    spool.write_all(part).unwrap();
                    for piece in spool.full() {
                        upload.send(piece).await.unwrap();
                    }
                }
                assert!(store.head(&path).await.is_err(), "nothing is to be seen yet");
                upload.finish(spool).await.unwrap();
                let found = store.get(&path).await.unwrap().bytes().await.unwrap();
                assert!(found == content, "{len}");
            }
            let mut upload = Upload::new(Arc::clone(&store), Path::from("given-up"));
            upload.send(vec![0; PIECE].into()).await.unwrap();
            upload.abort().await;
            assert!(store.head(&Path::from("given-up")).await.is_err());
        });
    }
}
