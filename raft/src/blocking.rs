//! Work that blocks, kept away from what must not wait.

use std::fs::File;
use std::io::{self, Read};

use bytes::Bytes;
use futures::Stream;
use tokio::runtime::{Handle, RuntimeFlavor};

/// Runs what blocks on a thread where nobody waits behind it. A runtime of one thread has no other to keep free: there it
/// runs in its turn.
///
/// # Errors
/// When the work panicked.
pub(crate) async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    if Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)
}

/// A file from where it stands, in pieces of at most so many bytes. Ends after the first error.
pub(crate) fn pieces(file: File, size: usize) -> impl Stream<Item = io::Result<Bytes>> + Send {
    futures::stream::unfold(Some(file), move |file| async move {
        let mut file = file?;
        let piece = move || {
            let mut bytes = vec![0; size];
            let length = file.read(&mut bytes)?;
            bytes.truncate(length);
            Ok((Bytes::from(bytes), file))
        };
        match run(piece).await.and_then(|it| it) {
            Ok((bytes, _)) if bytes.is_empty() => None,
            Ok((bytes, file)) => Some((Ok(bytes), Some(file))),
            Err(error) => Some((Err(error), None)),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, Write};

    use futures::TryStreamExt;

    use super::*;

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(bytes)
            .and_then(|()| file.rewind())
            .expect("it takes bytes");
        file
    }

    async fn read(size: usize) -> Vec<usize> {
        let pieces: Vec<Bytes> = pieces(file(&[7; 25]), size).try_collect().await.expect("readable");
        pieces.iter().map(Bytes::len).collect()
    }

    #[tokio::test]
    async fn a_file_comes_in_pieces_on_one_thread() {
        assert_eq!(read(10).await, [10, 10, 5]);
        assert_eq!(run(|| 7).await.ok(), Some(7));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn and_on_many() {
        assert_eq!(read(10).await, [10, 10, 5]);
        assert!(run(|| panic!("as it happens")).await.is_err());
    }
}
