//! A machine's ports as a folder of files: what the kernel shows of an FTDI adapter, of a UART on
//! the board, and of a UART that is not there.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use super::is_as_good_as;
use super::latency::{LowLatency, lower};
use super::list::{UsbIdentity, ports};

const FTDI: &str = "sys/devices/pci0/usb1/1-2";

fn put(root: &Path, file: &str, text: &str) {
    let file = root.join(file);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
}

fn link(root: &Path, at: &str, target: &str) {
    let at = root.join(at);
    fs::create_dir_all(at.parent().unwrap()).unwrap();
    symlink(target, at).unwrap();
}

fn machine() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    put(root, &format!("{FTDI}/idVendor"), "0403\n");
    put(root, &format!("{FTDI}/idProduct"), "6001\n");
    put(root, &format!("{FTDI}/manufacturer"), "FTDI\n");
    put(root, &format!("{FTDI}/product"), "FT232R USB UART\n");
    put(root, &format!("{FTDI}/serial"), "A50285BI\n");
    put(root, &format!("{FTDI}/1-2:1.0/ttyUSB0/latency_timer"), "16\n");
    put(root, "sys/bus/usb-serial/drivers/ftdi_sio/module", "");
    let port = format!("{FTDI}/1-2:1.0/ttyUSB0");
    link(root, &format!("{port}/driver"), "../../../../../../bus/usb-serial/drivers/ftdi_sio");
    link(root, &format!("{port}/tty/ttyUSB0/device"), "../../../ttyUSB0");
    link(root, "sys/class/tty/ttyUSB0", &format!("../../../{port}/tty/ttyUSB0"));
    for (name, kind) in [("ttyS0", "4\n"), ("ttyS1", "0\n")] {
        put(root, &format!("sys/devices/platform/{name}/tty/{name}/type"), kind);
        put(root, &format!("sys/devices/platform/{name}/tty/{name}/rx_trig_bytes"), "8\n");
        link(root, &format!("sys/devices/platform/{name}/tty/{name}/device"), "../..");
        let target = format!("../../devices/platform/{name}/tty/{name}");
        link(root, &format!("sys/class/tty/{name}"), &target);
    }
    put(root, "sys/bus/serial-base/drivers/port/bind", "");
    put(root, "sys/bus/pnp/drivers/serial/bind", "");
    let drivers = "../../../bus";
    link(root, "sys/devices/platform/ttyS0/driver", &format!("{drivers}/serial-base/drivers/port"));
    link(root, "sys/devices/platform/driver", "../../bus/pnp/drivers/serial");
    put(root, "sys/class/tty/tty1/dev", "4:1\n");
    for device in ["tty1", "ttyS0", "ttyS1", "ttyUSB0"] {
        put(root, &format!("dev/{device}"), "");
    }
    link(root, "dev/serial/by-id/usb-FTDI_A50285BI-if00-port0", "../../ttyUSB0");
    link(root, "dev/serial/by-path/pci-0-usb-0:2:1.0-port0", "../../ttyUSB0");
    put(root, "proc/17/comm", "laned\n");
    link(root, "proc/17/fd/3", "/dev/ttyUSB0");
    folder
}

#[test]
fn the_ports_of_a_machine_are_listed_with_their_stable_names_and_holders() {
    let machine = machine();
    let [uart, ftdi] = &ports(machine.path())[..] else { panic!("two ports have hardware") };
    assert_eq!(uart.device, Path::new("/dev/ttyS0"));
    assert_eq!(uart.stable_name(), Path::new("/dev/ttyS0"));
    assert_eq!(uart.driver.as_deref(), Some("serial"));
    assert_eq!((&uart.usb, &uart.holder), (&None, &None));
    assert_eq!(ftdi.device, Path::new("/dev/ttyUSB0"));
    assert_eq!(ftdi.stable_name(), Path::new("/dev/serial/by-id/usb-FTDI_A50285BI-if00-port0"));
    let by_path = PathBuf::from("/dev/serial/by-path/pci-0-usb-0:2:1.0-port0");
    assert_eq!(ftdi.by_path, Some(by_path));
    assert_eq!(ftdi.driver.as_deref(), Some("ftdi_sio"));
    assert_eq!(ftdi.holder.as_deref(), Some("laned (process 17)"));
    let usb = UsbIdentity {
        vendor_id: 0x0403,
        product_id: 0x6001,
        manufacturer: Some("FTDI".to_owned()),
        product: Some("FT232R USB UART".to_owned()),
        serial: Some("A50285BI".to_owned()),
    };
    assert_eq!(ftdi.usb, Some(usb));
}

#[test]
fn a_machine_without_sysfs_has_no_ports() {
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(ports(empty.path()), []);
    assert_eq!(ports(&empty.path().join("nowhere")), []);
}

#[test]
fn an_adapter_and_a_uart_are_told_once_not_to_wait_for_more() {
    let machine = machine();
    let sys = machine.path().join("sys");
    for (name, file, before) in
        [("ttyUSB0", "device/latency_timer", "16"), ("ttyS0", "rx_trig_bytes", "8")]
    {
        let file = sys.join("class/tty").join(name).join(file);
        let set = LowLatency::Set { file: file.clone(), before: before.to_owned() };
        assert_eq!(lower(&sys, name), set);
        assert_eq!(fs::read_to_string(file).unwrap(), "1");
        assert_eq!(lower(&sys, name), LowLatency::Already);
    }
    assert_eq!(lower(&sys, "tty1"), LowLatency::NotOffered);
    assert_eq!(lower(&sys, "pts/3"), LowLatency::NotOffered);
}

#[test]
fn who_may_not_set_the_latency_is_told_which_rule_would() {
    let machine = machine();
    let sys = machine.path().join("sys");
    let file = sys.join("class/tty/ttyUSB0/device/latency_timer");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).unwrap();
    let outcome = lower(&sys, "ttyUSB0");
    if fs::OpenOptions::new().write(true).open(&file).is_ok() {
        // The superuser may write anything.
        assert!(matches!(outcome, LowLatency::Set { .. }), "{outcome:?}");
        return;
    }
    let LowLatency::NotPermitted { file: named, rule } = outcome else { panic!("{outcome:?}") };
    assert_eq!(named, file);
    assert!(rule.contains("latency_timer") && rule.contains("ftdi_sio"), "{rule}");
}

#[test]
fn a_divisor_that_does_not_come_out_even_is_no_other_rate() {
    for (wanted_baud, baud, is_good) in [
        (115_200, 115_200, true),
        // A 3 MHz FTDI divisor, and a 24 MHz UART.
        (115_200, 115_385, true),
        (921_600, 923_077, true),
        (921_600, 1_000_000, false),
        (230_400, 115_200, false),
        (9600, 0, false),
    ] {
        assert_eq!(is_as_good_as(wanted_baud, baud), is_good, "{baud} for {wanted_baud}");
    }
}
