//! Which serial ports this machine has.
//!
//! A port is named by where it is plugged in or by what is plugged in, because its name in /dev
//! depends on the order of plugging. Pseudo-terminals are not listed: they are nobody's hardware.

use std::fs;
use std::path::{Path, PathBuf};

use super::holder::holder;

/// A serial port of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortInfo {
    /// Its device, whose name may be another after replugging.
    pub device: PathBuf,
    /// Its name by what is plugged in (`/dev/serial/by-id/…`): two adapters without serial numbers
    /// share one.
    pub by_id: Option<PathBuf>,
    /// Its name by the socket that it is plugged into (`/dev/serial/by-path/…`).
    pub by_path: Option<PathBuf>,
    /// The kernel's driver.
    pub driver: Option<String>,
    /// Who it is on the USB; `None` for a port that is not on it.
    pub usb: Option<UsbIdentity>,
    /// Which process has it open, as far as that can be found out.
    pub holder: Option<String>,
}

impl PortInfo {
    /// The name to configure: one that survives replugging, where there is one.
    #[must_use]
    pub fn stable_name(&self) -> &Path {
        self.by_id.as_ref().or(self.by_path.as_ref()).unwrap_or(&self.device)
    }
}

/// What a USB device says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsbIdentity {
    /// The vendor's number.
    pub vendor_id: u16,
    /// The product's number.
    pub product_id: u16,
    /// The vendor's name.
    pub manufacturer: Option<String>,
    /// The product's name.
    pub product: Option<String>,
    /// This piece's number.
    pub serial: Option<String>,
}

/// The ports of the machine whose file system begins at `root`, by their devices' names.
pub(super) fn ports(root: &Path) -> Vec<PortInfo> {
    let Ok(root) = fs::canonicalize(root) else { return Vec::new() };
    let by_id = links(&root, "dev/serial/by-id");
    let by_path = links(&root, "dev/serial/by-path");
    let mut ports: Vec<PortInfo> = fs::read_dir(root.join("sys/class/tty"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let hardware = hardware(&entry.path())?;
            let device = root.join("dev").join(entry.file_name());
            let named = |links: &[(PathBuf, PathBuf)]| {
                let link = links.iter().find(|(_, target)| *target == device);
                link.map(|(link, _)| outside(&root, link))
            };
            device.exists().then(|| PortInfo {
                by_id: named(&by_id),
                by_path: named(&by_path),
                driver: hardware.ancestors().filter_map(driver).find(|name| is_a_driver(name)),
                usb: hardware.ancestors().find_map(usb_identity),
                holder: holder(&root.join("proc"), &outside(&root, &device)),
                device: outside(&root, &device),
            })
        })
        .collect();
    ports.sort_by(|one, other| one.device.cmp(&other.device));
    ports
}

/// The hardware behind a port: consoles and terminals have none, and the kernel keeps names for
/// UARTs that are not there.
fn hardware(class: &Path) -> Option<PathBuf> {
    const NO_UART: &str = "0";
    let hardware = fs::canonicalize(class.join("device")).ok()?;
    (text(&class.join("type")).as_deref() != Some(NO_UART)).then_some(hardware)
}

/// The links in a folder, with what each leads to in the end.
fn links(root: &Path, folder: &str) -> Vec<(PathBuf, PathBuf)> {
    let links = fs::read_dir(root.join(folder)).into_iter().flatten().flatten();
    links.filter_map(|link| Some((link.path(), fs::canonicalize(link.path()).ok()?))).collect()
}

/// The path as the machine itself calls it.
fn outside(root: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(root).map_or_else(|_| path.to_path_buf(), |path| Path::new("/").join(path))
}

fn file_name(path: &Path) -> Option<String> {
    Some(path.file_name()?.to_string_lossy().into_owned())
}

fn driver(folder: &Path) -> Option<String> {
    file_name(&fs::canonicalize(folder.join("driver")).ok()?)
}

/// Since Linux 6.5 the serial core puts two devices of its own between a port and its hardware.
fn is_a_driver(name: &str) -> bool {
    !["port", "ctrl"].contains(&name)
}

fn usb_identity(folder: &Path) -> Option<UsbIdentity> {
    let number = |name| u16::from_str_radix(&text(&folder.join(name))?, 16).ok();
    Some(UsbIdentity {
        vendor_id: number("idVendor")?,
        product_id: number("idProduct")?,
        manufacturer: text(&folder.join("manufacturer")),
        product: text(&folder.join("product")),
        serial: text(&folder.join("serial")),
    })
}

fn text(file: &Path) -> Option<String> {
    let text = fs::read_to_string(file).ok()?.trim().to_owned();
    (!text.is_empty()).then_some(text)
}
