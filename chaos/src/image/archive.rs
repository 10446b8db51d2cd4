//! An image as one file in OCI's layout, which `ctr image import` and `skopeo copy oci-archive:` take.

use std::fs;
use std::path::Path;

use serde_json::json;
use tar::{Builder, EntryType};

use super::layer::append;
use super::{Image, ImageError};

impl Image {
    /// Writes the image, named `reference` (such as `registry:5000/web:1`), to the file `path`.
    pub fn write_archive(&self, reference: &str, path: &Path) -> Result<(), ImageError> {
        let mut manifest = self.manifest.descriptor();
        let tag = reference.rsplit_once(':').map_or(reference, |(_, tag)| tag);
        manifest["annotations"] = json!({
            "io.containerd.image.name": reference,
            "org.opencontainers.image.ref.name": tag,
        });
        let index = json!({"schemaVersion": 2, "manifests": [manifest]}).to_string();
        let layout = json!({"imageLayoutVersion": "1.0.0"}).to_string();

        let mut builder = Builder::new(Vec::new());
        let mut file = |name: &str, bytes: &[u8]| {
            append(&mut builder, name, EntryType::Regular, 0o644, bytes).map_err(ImageError::Pack)
        };
        file("oci-layout", layout.as_bytes())?;
        file("index.json", index.as_bytes())?;
        for blob in self.blobs.iter().chain([&self.manifest]) {
            file(&format!("blobs/{}", blob.digest.replace(':', "/")), &blob.bytes)?;
        }
        let bytes = builder.into_inner().map_err(ImageError::Pack)?;
        fs::write(path, bytes).map_err(|error| ImageError::File(path.to_owned(), error))
    }
}
