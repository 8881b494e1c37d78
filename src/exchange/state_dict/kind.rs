//! What else than a state dict in safetensors somebody may bring, and what to do with it.

use crate::error::{Error, Result};

/// Refuses files of other kinds with the way to safetensors, and students.
///
/// # Errors
/// [`Error::Format`].
pub(super) fn check(name: &str, bytes: &[u8]) -> Result<()> {
    let refuse = |message: &str| Err(Error::format(name, message));
    let zip = bytes.starts_with(b"PK\x03\x04");
    // The name of the first file in it stands 30 bytes after the start.
    let first = bytes.get(30..bytes.len().min(130)).unwrap_or_default();
    if zip && first.windows(4).any(|part| part == b".npy") {
        return refuse(
            "is a NumPy archive; turn it into safetensors with Python: import numpy, \
             safetensors.numpy as s; s.save_file(dict(numpy.load('in.npz')), 'in.safetensors')",
        );
    }
    // PyTorch's zip archives, and the bare pickles that it wrote before.
    if zip || bytes.starts_with(b"\x80\x02") {
        return refuse(
            "is a pickle of PyTorch, which may run anything when it is read; turn its state dict \
             into safetensors with Python: import torch, safetensors.torch as s; \
             s.save_file(torch.load('in.pt', weights_only=True), 'in.safetensors')",
        );
    }
    if bytes.starts_with(b"\x89HDF") {
        return refuse(
            "is an HDF5 file, as Keras writes; save its arrays to safetensors under the names \
             input_proj.weight, input_proj.bias and so on",
        );
    }
    if bytes.starts_with(b"version https://git-lfs") {
        return refuse("is a Git LFS pointer, not the file itself; fetch it with git lfs pull");
    }
    if bytes.len() < 8 {
        return refuse("is too short for a safetensors file; save or copy it again");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_pickles_from_arrays() {
        let zip = |inner: &str| {
            let mut bytes = b"PK\x03\x04".to_vec();
            bytes.resize(30, 0);
            bytes.extend(inner.as_bytes());
            bytes
        };
        let message = |bytes: &[u8]| check("x", bytes).unwrap_err().to_string();
        assert!(message(&zip("student/data.pkl")).contains("weights_only=True"));
        assert!(message(b"\x80\x02\x8a\x0al\xfc\x9cF").contains("weights_only=True"));
        assert!(message(&zip("compression.weight.npy")).contains("numpy.load"));
        assert!(message(b"").contains("too short"));
        assert!(check("x", &[0; 64]).is_ok());
    }
}
