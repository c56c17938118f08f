//! The crate `rfid-silion-compat` 0.1.0: an independent client, by its own serial transport.

use std::time::Duration;

use rfid_driver::emulator::PowerUp;
use rfid_silion_compat::parsers::{AntennaPair, AntennaPortsResponse, RunPhase};
use rfid_silion_compat::{
    AntennaPortsConfiguration, AntennaPortsOption, AsyncInventoryMessage, ClientError,
    EmbeddedReadTagData, InventoryEmbeddedCommandContent, InventorySearchFlags, MemBank,
    MetadataFlags, ReaderAsyncInventoryStartData, RegionCode, SelectOption, SerialTransport,
    SilionReader,
};

use super::{Rig, TID, epc, tag};

const PATIENCE: Duration = Duration::from_secs(10);

fn open(rig: &Rig) -> SilionReader<SerialTransport> {
    SilionReader::new(SerialTransport::open(&rig.path(), 115_200).unwrap())
}

fn by_epc(serial: u8) -> SelectOption {
    SelectOption::Epc { select_length_bits: 96, select_data: epc(serial).to_vec(), invert: false }
}

async fn in_time<T>(conversation: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, conversation).await.expect("no answer")
}

#[tokio::test]
async fn it_learns_all_about_a_module_and_sets_it_up() {
    let rig = Rig::new("silion", PowerUp::BootLoader);
    let mut reader = open(&rig);
    in_time(async {
        assert_eq!(reader.get_run_phase().await.unwrap(), RunPhase::Bootloader);
        reader.boot_firmware().await.unwrap();
        assert_eq!(reader.get_run_phase().await.unwrap(), RunPhase::AppFirmware);
        let version = reader.get_version().await.unwrap();
        assert_eq!(version.hardware_version, [0xA8, 0, 0, 1]);
        reader.get_serial_number(0, 0).await.unwrap();
        assert_eq!(reader.get_current_region().await.unwrap(), RegionCode::NorthAmerica);
        assert_eq!(reader.get_available_regions().await.unwrap().len(), 5);
        reader.set_current_region(RegionCode::Europe).await.unwrap();
        assert_eq!(reader.get_current_region().await.unwrap(), RegionCode::Europe);
        assert_eq!(reader.get_frequency_hopping_table().await.unwrap()[0], 865_700);
        assert_eq!(reader.get_regulatory_hop_time().await.unwrap().hop_time_ms, 375);
        assert_eq!(reader.get_current_tag_protocol().await.unwrap(), 5);
        assert_eq!(reader.get_current_temperature().await.unwrap(), 34);
        assert_eq!(reader.get_gpi().await.unwrap().len(), 4);
        assert_eq!(reader.get_reader_configuration(1, 0x0C).await.unwrap().value, 1);
        assert_eq!(reader.get_protocol_configuration(5, 0x00).await.unwrap().value, Some(0));
        let pairs = vec![AntennaPair { tx: 1, rx: 1 }, AntennaPair { tx: 2, rx: 2 }];
        let config = AntennaPortsConfiguration::InventoryPairs(pairs.clone());
        reader.set_antenna_ports(&config).await.unwrap();
        let ports = reader.get_antenna_ports(AntennaPortsOption::InventoryPairs).await.unwrap();
        assert_eq!(ports, AntennaPortsResponse::InventoryPairs(pairs));
        for option in [
            AntennaPortsOption::AccessPair,
            AntennaPortsOption::Power,
            AntennaPortsOption::PowerAndSettling,
            AntennaPortsOption::ConnectionStates,
        ] {
            reader.get_antenna_ports(option).await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn it_reads_and_writes_one_tag() {
    // Both makers' modules have these commands.
    for model in ["silion", "m6e"] {
        let rig = Rig::new(model, PowerUp::Ready);
        let mut reader = open(&rig);
        in_time(async {
            reader.set_current_region(RegionCode::NorthAmerica).await.unwrap();
            reader.transact_raw(0x93, &[0x00, 0x05]).await.unwrap();
            rig.reader.set_field(&[tag(1, 1)]);
            let metadata = MetadataFlags::NONE.with_rssi(true).with_antenna_id(true);
            let read = reader
                .single_tag_inventory(2000, SelectOption::Disabled, Some(metadata))
                .await
                .unwrap();
            assert_eq!((read.epc_id.as_slice(), read.antenna_id), (&epc(1)[..], Some(0x11)));
            assert!(read.rssi_dbm.is_some_and(|dbm| (-57..=-53).contains(&dbm)));
            let read = reader.single_tag_inventory(2000, by_epc(1), None).await.unwrap();
            assert_eq!(read.epc_id, epc(1));
            // It sends no password before the filter.
            let tid =
                reader.read_tag_data(2000, by_epc(1), None, MemBank::Tid, 0, 4).await.unwrap();
            assert_eq!(tid.tag_data.unwrap(), TID);
            let words = [0xCA, 0xFE, 0xBE, 0xEF];
            reader.write_tag_data(2000, by_epc(1), 2, MemBank::User, None, &words).await.unwrap();
            let user =
                reader.read_tag_data(2000, by_epc(1), None, MemBank::User, 2, 2).await.unwrap();
            assert_eq!(user.tag_data.unwrap(), words);
            reader.write_tag_epc(2000, SelectOption::Disabled, None, &epc(9)[..8]).await.unwrap();
            let read = reader.single_tag_inventory(2000, SelectOption::Disabled, None).await;
            assert_eq!(read.unwrap().epc_id, epc(9)[..8]);
            let absent = reader.single_tag_inventory(50, by_epc(1), None).await;
            assert!(matches!(absent, Err(ClientError::ReaderStatus { status_raw: 0x0400, .. })));
        })
        .await;
    }
}

#[tokio::test]
async fn it_is_told_of_tags_until_it_stops() {
    let rig = Rig::new("silion", PowerUp::Ready);
    let mut reader = open(&rig);
    let start = ReaderAsyncInventoryStartData {
        metadata_flags: MetadataFlags::ALL,
        select_option: SelectOption::Disabled,
        search_flags: InventorySearchFlags::new()
            .with_async_heartbeat(true)
            .with_embedded_command(true),
        access_password: None,
        embedded_command_content: Some(InventoryEmbeddedCommandContent::ReadTagData(
            EmbeddedReadTagData {
                read_membank: MemBank::Tid,
                read_address_words: 0,
                word_count: 4,
            },
        )),
    };
    in_time(async {
        reader.transact_raw(0x9A, &[0x01, 0x0C, 0x00]).await.unwrap();
        reader.enable_async_inventory(&start).await.unwrap();
        let mut session = reader.into_async_session();
        rig.reader.set_field(&[tag(1, 1)]);
        for _ in 0..3 {
            let AsyncInventoryMessage::TagInformation { tag, .. } = session.recv().await.unwrap()
            else {
                panic!("something else than a tag");
            };
            assert_eq!(
                (tag.epc_id.as_slice(), tag.tag_data.as_deref()),
                (&epc(1)[..], Some(&TID[..]))
            );
            assert_eq!((tag.read_count, tag.protocol_id), (Some(1), Some(5)));
        }
        while !matches!(session.recv().await.unwrap(), AsyncInventoryMessage::Heartbeat { .. }) {}
        let mut reader = session.stop().await.unwrap();
        assert_eq!(reader.get_run_phase().await.unwrap(), RunPhase::AppFirmware);
    })
    .await;
}
