//! `rfid list`: the serial ports and the protocols.

use rfid_driver::port::{Port, PortInfo};
use rfid_driver::protocol;
use serde_json::{Value, json};

use crate::Output;
use crate::arguments::transport_name;
use crate::failure::Failure;
use crate::output::Format;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut output = Output::new(Format::of(arguments.json));
    for port in Port::list() {
        output.put(|| port_text(&port), || port_object(&port))?;
    }
    for protocol in protocol::ALL {
        let (name, about) = (protocol.name(), protocol.about());
        let transport = transport_name(protocol.transport());
        output.put(
            || format!("protocol {name:<12} {transport:<7} {about}"),
            || {
                json!({
                    "protocol": name,
                    "about": about,
                    "transport": transport,
                    "bauds": protocol.bauds(),
                    "models": protocol.models(),
                })
            },
        )?;
    }
    output.flush()
}

/// The ports by the best name of each, for a message.
pub(crate) fn port_names() -> Vec<String> {
    Port::list().iter().map(|port| port.stable_name().display().to_string()).collect()
}

fn port_object(port: &PortInfo) -> Value {
    json!({
        "port": port.device,
        "stable": port.stable_name(),
        "by_id": port.by_id,
        "by_path": port.by_path,
        "driver": port.driver,
        "holder": port.holder,
        "usb": port.usb.as_ref().map(|usb| json!({
            "vendor_id": format!("{:04x}", usb.vendor_id),
            "product_id": format!("{:04x}", usb.product_id),
            "manufacturer": usb.manufacturer,
            "product": usb.product,
            "serial": usb.serial,
        })),
    })
}

fn port_text(port: &PortInfo) -> String {
    let mut text = format!("port {}", port.device.display());
    if let Some(usb) = &port.usb {
        let words = [&usb.manufacturer, &usb.product, &usb.serial].into_iter().flatten();
        let words: Vec<&str> = words.map(String::as_str).collect();
        text += &format!("  {:04x}:{:04x} {}", usb.vendor_id, usb.product_id, words.join(", "));
    }
    if let Some(driver) = &port.driver {
        text += &format!("  ({driver})");
    }
    if let Some(holder) = &port.holder {
        text += &format!("  in use by {holder}");
    }
    for name in port.by_id.iter().chain(&port.by_path) {
        text += &format!("\n     {}", name.display());
    }
    text
}
