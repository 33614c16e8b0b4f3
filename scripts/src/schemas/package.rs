//! Packages of schemas, fetched once by the client of their registry.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::failure::{Attempt, Failure};
use crate::peers::{finish, output};

/// Package with its exact version, as its registry's client writes it.
#[derive(Clone, Copy)]
pub enum Package {
    Pip(&'static str),
    Npm(&'static str),
    Go(&'static str),
    Crate(&'static str),
}

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Pip(name) | Self::Npm(name) | Self::Go(name) | Self::Crate(name)) = self;
        f.write_str(name)
    }
}

/// Returns the folder that the package was unpacked in, below `folder` or in its client's cache.
pub fn fetch(folder: &Path, package: Package) -> Result<PathBuf, Failure> {
    let name = package.to_string().replace(['/', '@', '='], "-");
    let own = folder.join("packages").join(name);
    let place = own.join("place");
    if let Ok(place) = fs::read_to_string(&place)
        && Path::new(&place).is_dir()
    {
        return Ok(place.into());
    }
    fs::create_dir_all(&own).attempt(|| format!("make {own:?}"))?;
    let found = match package {
        Package::Pip(name) => pip(&own, name),
        Package::Npm(name) => npm(&own, name),
        Package::Go(name) => go(folder, name),
        Package::Crate(name) => from_crate(&own, name),
    }?;
    fs::write(&place, found.as_os_str().as_encoded_bytes())
        .attempt(|| format!("write {place:?}"))?;
    Ok(found)
}

fn pip(own: &Path, name: &str) -> Result<PathBuf, Failure> {
    let target = own.join("site");
    let mut command = Command::new("python3");
    command
        .args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"])
        .arg(&target)
        .arg(name);
    finish(&mut command, &format!("fetch {name} by pip"))?;
    Ok(target)
}

fn npm(own: &Path, name: &str) -> Result<PathBuf, Failure> {
    let what = format!("fetch {name} by npm");
    let mut pack = Command::new("npm");
    pack.args(["pack", "--silent", name]).current_dir(own);
    let said = output(&mut pack, &what)?;
    let said = String::from_utf8_lossy(&said);
    let archive = said.lines().last().unwrap_or_default().trim();
    if archive.is_empty() {
        return Err(Failure::new(what, "it names no archive"));
    }
    let mut unpack = Command::new("tar");
    unpack.args(["-xzf", archive]).current_dir(own);
    finish(&mut unpack, &format!("unpack {archive}"))?;
    Ok(own.join("package"))
}

fn go(folder: &Path, name: &str) -> Result<PathBuf, Failure> {
    let what = format!("fetch {name} by go");
    let mut command = Command::new("go");
    command
        .args(["mod", "download", "-modcacherw", "-json", name])
        .env("GOPATH", folder.join("go"))
        .env("GOFLAGS", "-mod=mod")
        .current_dir(folder);
    let output = command.output().attempt(|| what.clone())?;
    let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    match told["Dir"].as_str() {
        Some(place) => Ok(place.into()),
        None => {
            let error = told["Error"].as_str().unwrap_or("it names no folder");
            Err(Failure::new(what, error))
        }
    }
}

/// Lets cargo fetch a crate, as a dependency of one that is never built.
fn from_crate(own: &Path, name: &str) -> Result<PathBuf, Failure> {
    let what = format!("fetch {name} by cargo");
    let (package, version) = name.split_once('@').unwrap_or((name, "*"));
    let manifest = format!(
        "[package]\nname = \"fetch\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [lib]\npath = \"lib.rs\"\n\n[workspace]\n\n[dependencies]\n\
         {package} = {{ version = \"={version}\", default-features = false }}\n"
    );
    let path = own.join("Cargo.toml");
    fs::write(&path, manifest).attempt(|| format!("write {path:?}"))?;
    fs::write(own.join("lib.rs"), "").attempt(|| format!("write {own:?}"))?;
    let mut command = Command::new("cargo");
    command
        .args(["metadata", "--format-version", "1"])
        .current_dir(own);
    let told: Value =
        serde_json::from_slice(&output(&mut command, &what)?).attempt(|| what.clone())?;
    let packages = told["packages"].as_array().into_iter().flatten();
    let found = packages
        .filter(|found| found["name"] == package)
        .find_map(|found| Path::new(found["manifest_path"].as_str()?).parent());
    found
        .map(Path::to_path_buf)
        .ok_or_else(|| Failure::new(what, "cargo does not name its folder"))
}
