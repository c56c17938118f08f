//! The modules that the emulator can be: what tells them apart on the line.
//!
//! The first byte of the hardware version names the model and the firmware version decides which
//! commands the vendor's client dares to use (`serial_reader_imp.h`, `TMR_SR_ModelHardwareID`, and
//! `tm_reader.c`, `checkForAvailableFeatures`). Power and ports are from the data sheets.

use std::ops::RangeInclusive;

use crate::protocol::mercury::codec::VersionInfo;

/// One kind of module.
#[derive(Debug)]
pub(super) struct Module {
    pub(super) name: &'static str,
    pub(super) version: VersionInfo,
    pub(super) ports: u8,
    /// In hundredths of a dBm.
    pub(super) power_cdbm: RangeInclusive<i16>,
    pub(super) pins: u8,
    pub(super) maker: Maker,
}

/// Whose firmware it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Maker {
    ThingMagic,
    /// Copies the other and adds a continuous read of its own.
    Silion,
}

const fn version(boot_loader: u32, hardware: u32, date: u32, firmware: u32) -> VersionInfo {
    VersionInfo {
        boot_loader,
        hardware,
        firmware_date: date,
        firmware,
        // Bit 4: Gen2.
        protocols: 0x0000_0010,
    }
}

pub(super) static MODULES: [Module; 5] = [
    Module {
        name: "m6e",
        version: version(0x1208_0900, 0x1800_0001, 0x2019_0610, 0x0121_0302),
        ports: 4,
        power_cdbm: 500..=3150,
        pins: 4,
        maker: Maker::ThingMagic,
    },
    Module {
        name: "micro",
        version: version(0x1409_0100, 0x2000_0001, 0x2019_0610, 0x0109_0020),
        ports: 2,
        power_cdbm: -1000..=3000,
        pins: 2,
        maker: Maker::ThingMagic,
    },
    Module {
        name: "nano",
        version: version(0x1712_0800, 0x3000_0001, 0x2019_0610, 0x0109_0010),
        ports: 1,
        power_cdbm: 0..=2700,
        pins: 4,
        maker: Maker::ThingMagic,
    },
    Module {
        name: "m7e",
        version: version(0x2107_2300, 0x3800_0005, 0x2023_0302, 0x0201_0200),
        ports: 4,
        power_cdbm: 0..=3150,
        pins: 4,
        maker: Maker::ThingMagic,
    },
    Module {
        name: "silion",
        version: version(0x1304_1500, 0xA800_0001, 0x2013_0522, 0x1305_2300),
        ports: 4,
        power_cdbm: 500..=3150,
        pins: 4,
        maker: Maker::Silion,
    },
];

impl Module {
    /// The module of this name, or the first.
    pub(super) fn by_name(name: Option<&str>) -> &'static Self {
        let named = name.and_then(|name| MODULES.iter().find(|module| module.name == name));
        named.unwrap_or(&MODULES[0])
    }
}
