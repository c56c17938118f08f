//! Lane devices end to end: the lane controller's drivers against the simulator's devices, which
//! were written apart from them. The same stories for every family of field I/O.

mod pictures;
mod site;
mod station;

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use domain::wire::field_io::Output;
use domain::wire::v1::PictureKind;
use domain::{Clock, LaneId, Plate};
use lane_controller::camera::{
    Camera, CameraListener, CameraSecret, CameraWord, Format, ListenerSettings,
};
use lane_controller::field_io::modbus::{self, Bus, Place};
use lane_controller::field_io::relay_card::{
    CardSettings, CardThread, InputNumber, Level, StateOrder, Wiring,
};
use lane_controller::field_io::{FieldWord, InputThread, Outputs, Reading};
use simulator::camera::{CameraFormat, OVERVIEW_PICTURE, PLATE_PICTURE, Read, message, post};
use simulator::one_lane::OneLane;
use simulator::picture;
use tokio::task::block_in_place;

const WITHIN: Duration = Duration::from_secs(20);

/// A lane, its device's driver, and what that has said.
struct World {
    lane: OneLane,
    outputs: Outputs,
    words: Receiver<FieldWord>,
    reading: Option<Reading>,
    clock: Clock,
    // Kept alive.
    _driver: Box<dyn std::any::Any>,
    _folder: tempfile::TempDir,
}

#[derive(Debug, Clone, Copy)]
enum Family {
    ModbusTcp,
    ModbusRtu,
    RelayCard,
}

async fn world(family: Family) -> World {
    let clock = Clock::system();
    let folder = tempfile::tempdir().expect("a folder");
    let (say, words) = channel();
    let (lane, outputs, driver): (_, _, Box<dyn std::any::Any>) = match family {
        Family::ModbusTcp => {
            let (lane, module) = OneLane::behind_modbus().await.expect("a module");
            let period = Duration::from_millis(2);
            let tell = move |_place, word| {
                say.send(word).ok();
            };
            let thread =
                InputThread::start(module, vec![0], period, clock, tell).expect("a thread");
            (lane, Outputs::new(module, 0), Box::new(thread))
        }
        Family::ModbusRtu => {
            let (lane, port) = OneLane::behind_modbus_bus().expect("a module");
            let bus = Bus::to(Place::Rtu { port, baud: 115_200, unit: 3 });
            let period = Duration::from_millis(5);
            let tell = move |_place, word| {
                say.send(word).ok();
            };
            let outputs = Outputs::Modbus(modbus::Outputs::new(&bus.for_outputs(), 0));
            let thread = InputThread::start(bus, vec![0], period, clock, tell).expect("a thread");
            (lane, outputs, Box::new(thread))
        }
        Family::RelayCard => {
            let port = folder.path().join("card");
            let lane = OneLane::behind_relay_card(&port).expect("a card");
            let input = |number| InputNumber::try_new(number).expect("an input");
            let wiring = Wiring {
                presence: input(1),
                safety: input(2),
                arm_up: Some(input(3)),
                occupied: Level::High,
                state_order: StateOrder::FirstIsInput1,
            };
            let settings = CardSettings { port, baud: 9600, wiring, silent_after: WITHIN };
            let tell = move |word| {
                say.send(word).ok();
            };
            let (thread, outputs) =
                CardThread::start(settings, None, clock, tell).expect("a thread");
            (lane, Outputs::RelayCard(outputs), Box::new(thread))
        }
    };
    World { lane, outputs, words, reading: None, clock, _driver: driver, _folder: folder }
}

impl World {
    /// Lets the road go on until the driver's reading is as awaited.
    async fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let deadline = self.clock.real() + WITHIN;
        while !is_so(self) {
            assert!(self.clock.real() < deadline, "{what}: {:?}", self.reading);
            self.lane.step().expect("the device's line holds");
            tokio::time::sleep(Duration::from_millis(1)).await;
            for word in self.words.try_iter() {
                self.reading = match word {
                    FieldWord::Reads { reading, .. } => Some(reading),
                    FieldWord::Silent => None,
                };
            }
        }
    }

    fn reads(&self, is_so: impl Fn(Reading) -> bool) -> bool {
        self.reading.is_some_and(is_so)
    }
}

async fn a_car_comes_is_let_through_and_leaves(family: Family) {
    let mut world = world(family).await;
    world.until("an empty lane is seen", |world| world.reads(|r| !r.inputs.presence)).await;
    world.lane.car_comes();
    world.until("the car is seen", |world| world.reads(|r| r.inputs.presence)).await;
    block_in_place(|| world.outputs.open()).expect("the arm is told");
    world.until("the arm is seen up", |world| world.reads(|r| r.arm_up)).await;
    if matches!(family, Family::RelayCard) {
        assert!(world.lane.card_shows_green());
    }
    world.until("the car is under the arm", |world| world.reads(|r| r.inputs.safety)).await;
    world.until("the car has left", |world| world.reads(|r| r.inputs.safety_falls == 1)).await;
    block_in_place(|| world.outputs.set(Output::Green, false)).expect("the light is told");
    block_in_place(|| world.outputs.set(Output::Close, true)).expect("the arm is told");
    world.until("the arm is down", |world| world.lane.arm_is_down()).await;
    world.until("the arm is seen down", |world| world.reads(|r| !r.arm_up)).await;
    let reading = world.reading.expect("the device speaks");
    let inputs = reading.inputs;
    assert_eq!((inputs.presence_rises, inputs.presence_falls), (1, 1), "{family:?}");
    assert_eq!((reading.safety_rises, inputs.safety_falls), (1, 1), "{family:?}");
    assert_eq!(world.lane.struck(), 0);
    // The Modbus outputs hold a runtime of their own, which may not end within another's.
    block_in_place(|| drop(world));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_modbus_module_sees_a_car_through() {
    a_car_comes_is_let_through_and_leaves(Family::ModbusTcp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_modbus_module_on_a_serial_bus_sees_a_car_through() {
    a_car_comes_is_let_through_and_leaves(Family::ModbusRtu).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_on_a_bus_that_went_silent_takes_no_command() {
    let mut world = world(Family::ModbusRtu).await;
    world.until("an empty lane is seen", |world| world.reading.is_some()).await;
    world.lane.lose_device();
    world.until("the module is silent", |world| world.reading.is_none()).await;
    assert!(block_in_place(|| world.outputs.open()).is_err());
    block_in_place(|| drop(world));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_card_sees_a_car_through() {
    a_car_comes_is_let_through_and_leaves(Family::RelayCard).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_card_whose_cable_is_pulled_is_silent_and_takes_no_command() {
    let mut world = world(Family::RelayCard).await;
    world.until("an empty lane is seen", |world| world.reading.is_some()).await;
    world.lane.lose_device();
    world.until("the card is silent", |world| world.reading.is_none()).await;
    assert!(world.outputs.open().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn cameras_of_both_formats_tell_their_lane_what_they_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let lane = LaneId::try_new("op".parse().expect("an id"), "st".parse().expect("an id"), "l01")
        .expect("an id");
    let camera = |name: &str, format, confidence_max| Camera {
        name: name.to_owned(),
        lane: lane.clone(),
        format,
        secret: CameraSecret::try_new("a1b2c3d4e5f6a7b8").expect("a secret"),
        confidence_max,
    };
    let settings = ListenerSettings {
        listen: ([127, 0, 0, 1], 0).into(),
        folder: folder.path().to_owned(),
        pictures_bytes_max: 1 << 20,
        quarantine_bytes_max: 1 << 20,
        post_bytes_max: 1 << 20,
    };
    let cameras = vec![camera("hik", Format::Hikvision, 100), camera("dahua", Format::Dahua, 255)];
    let (say, words) = channel();
    let tell = move |word| {
        say.send(word).ok();
    };
    let clock = Clock::system();
    let listener = CameraListener::start(settings, cameras, clock, tell).await.expect("a listener");
    let plate = Plate::try_new("37A-123.45").expect("a plate");
    let both = [PictureKind::Plate, PictureKind::Overview];
    for (name, format, confidence, percent, pictures) in [
        ("hik", CameraFormat::Hikvision, 97, 97, &both[..]),
        ("dahua", CameraFormat::DahuaLines, 204, 80, &both[..]),
        ("dahua", CameraFormat::DahuaJson, 255, 100, &[]),
    ] {
        let at = "2026-11-22T01:02:03.456Z".parse().expect("an instant");
        let shown = picture::of_plate(&plate);
        let whole = picture::of_vehicle(&plate);
        let sent: [(&str, &[u8]); 2] = [(PLATE_PICTURE, &shown), (OVERVIEW_PICTURE, &whole)];
        let read = Read { plate: &plate, confidence, at, pictures: &sent };
        let path = format!("/camera/{name}/a1b2c3d4e5f6a7b8");
        let status = post(listener.address(), &path, &message(format, &read)).await;
        assert_eq!(status.expect("an answer"), 200, "{format:?}");
        let CameraWord::Seen(seen) = words.recv_timeout(WITHIN).expect("a word") else {
            panic!("{format:?} was not understood");
        };
        assert_eq!((&seen.plate, &seen.lane), (&plate, &lane), "{format:?}");
        assert_eq!(seen.confidence.percent(), percent, "{format:?}");
        assert_eq!(seen.camera_time, Some(at), "{format:?}");
        let kinds: Vec<_> = seen.pictures.iter().map(|picture| picture.kind).collect();
        assert_eq!(kinds, pictures, "{format:?}");
    }
}
