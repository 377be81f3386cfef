//! Where outputs are kept, as a configuration names it.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use stationthis_core::{Error, ErrorKind, Result};
use url::Url;

/// A folder of this machine, or a bucket: `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix`.
///
/// Buckets need the feature `cloud`. Their credentials come from the environment, under the names that their own tools
/// use: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT` (for others that speak S3), `GOOGLE_…`,
/// `AZURE_…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CustodyPlace {
    /// A folder, made where it is missing, for its owner only.
    Folder(PathBuf),
    /// A bucket.
    Bucket(Url),
}

impl FromStr for CustodyPlace {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let refused = |reason: &str| Error::new(ErrorKind::InvalidInput, "read place").with_message(reason);
        if text.is_empty() {
            return Err(refused("A folder or the URL of a bucket is needed."));
        }
        if !text.contains("://") {
            return Ok(Self::Folder(PathBuf::from(text)));
        }
        let url = Url::parse(text).map_err(|e| refused("This is no URL.").with_source(e))?;
        if !matches!(url.scheme(), "s3" | "gs" | "az") || url.host_str().is_none_or(str::is_empty) {
            return Err(refused("A folder is named by its path, and a bucket as s3://…, gs://… or az://…"));
        }
        if url.password().is_some() || !url.username().is_empty() || url.query().is_some() || url.fragment().is_some() {
            return Err(refused(
                "The URL of a bucket has no credentials and no query; they come from the environment.",
            ));
        }
        if cfg!(not(feature = "cloud")) {
            return Err(refused("This program was built without buckets (feature `cloud`): name a folder."));
        }
        Ok(Self::Bucket(url))
    }
}

impl CustodyPlace {
    /// What is there, and the folder where it is one.
    pub(super) fn open(&self) -> Result<(Arc<dyn ObjectStore>, Option<PathBuf>)> {
        match self {
            Self::Folder(folder) => {
                crate::data_dir::make(folder)?;
                let failed = |e: object_store::Error| {
                    Error::new(ErrorKind::StoreUnavailable, "open folder of outputs")
                        .with_message(format!("{}: {e}", folder.display()))
                        .with_source(e)
                };
                let store = LocalFileSystem::new_with_prefix(folder).map_err(failed)?;
                // What is kept survives a loss of power, as the record that says so does.
                Ok((Arc::new(store.with_fsync(true).with_automatic_cleanup(true)), Some(folder.clone())))
            }
            Self::Bucket(url) => Ok((bucket(url)?, None)),
        }
    }
}

/// The beginnings of the variables that say how buckets are reached.
#[cfg(feature = "cloud")]
const VARIABLES: [&str; 3] = ["AWS_", "GOOGLE_", "AZURE_"];

#[cfg(feature = "cloud")]
fn bucket(url: &Url) -> Result<Arc<dyn ObjectStore>> {
    let variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let variables = variables.filter(|(name, _)| VARIABLES.iter().any(|begin| name.starts_with(begin)));
    let (store, prefix) = object_store::parse_url_opts(url, variables).map_err(|e| {
        // Not its text: it may quote what it was given.
        Error::new(ErrorKind::InvalidInput, "open bucket")
            .with_message(format!("{url} cannot be used with the {} of the environment.", VARIABLES.join("…, ")))
            .with_source(e)
    })?;
    Ok(Arc::new(object_store::prefix::PrefixStore::new(store, prefix)))
}

#[cfg(not(feature = "cloud"))]
fn bucket(_: &Url) -> Result<Arc<dyn ObjectStore>> {
    Err(Error::new(ErrorKind::Unsupported, "open bucket").with_message("This program was built without buckets."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_folder_or_a_bucket_without_credentials() {
        for folder in ["outputs", "/srv/outputs", "C:\\outputs", "a:b"] {
            assert_eq!(folder.parse::<CustodyPlace>().unwrap(), CustodyPlace::Folder(folder.into()));
        }
        let bad =
            ["", "http://b.example/x", "memory:///x", "file:///x", "s3://", "s3://key:word@bucket", "s3://b/?a=b"];
        for text in bad {
            let error = text.parse::<CustodyPlace>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{text}");
            assert!(!error.to_string().contains("word"), "{error}");
        }
        for text in ["s3://bucket/some/prefix", "gs://bucket", "az://container/x"] {
            assert_eq!(text.parse::<CustodyPlace>().is_ok(), cfg!(feature = "cloud"), "{text}");
        }
    }
}
