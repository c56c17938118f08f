use std::time::Duration;

use domain::wire::field_io::address;
use tokio_modbus::client::{Reader as _, Writer as _, tcp};

use super::*;
use crate::road::{CrossingKey, STEP_MAX};

fn road_with_a_vehicle_at_the_line() -> LaneRoad {
    let mut road = LaneRoad::new();
    road.appear(CrossingKey(1), 16.0, 7.0);
    run(&mut road, 600);
    road
}

fn run(road: &mut LaneRoad, steps: usize) {
    for _ in 0..steps {
        road.step(STEP_MAX, &mut Vec::new());
    }
}

#[tokio::test]
async fn a_controller_sees_loops_and_counters_and_moves_the_arm() {
    let points = Arc::new(StationPoints::new(2));
    let mut road = road_with_a_vehicle_at_the_line();
    points.show(1, &road);
    let server = FieldIoServer::start(Arc::clone(&points)).await.unwrap();
    let mut client = tcp::connect(server.address()).await.unwrap();

    let inputs = client.read_discrete_inputs(0, 16).await.unwrap().unwrap();
    assert_eq!(inputs[..8], [false; 8], "lane 0 has shown nothing");
    assert_eq!(inputs[8..12], [true, false, false, true], "presence, safety, up, down");
    let counters = client.read_input_registers(address(1, 0), 4).await.unwrap().unwrap();
    assert_eq!(counters, [1, 0, 0, 0]);

    let open = address(1, Output::Open as u16);
    client.write_single_coil(open, true).await.unwrap().unwrap();
    client.write_single_coil(open, false).await.unwrap().unwrap();
    assert_eq!(points.take_pulses(0), []);
    assert_eq!(points.take_pulses(1), [Pulse::Open]);
    assert_eq!(points.take_pulses(1), []);

    road.handle_pulse(Pulse::Open);
    run(&mut road, 1200);
    points.show(1, &road);
    let counters = client.read_input_registers(address(1, 0), 4).await.unwrap().unwrap();
    assert_eq!(counters, [1, 1, 1, 1]);
}

#[tokio::test]
async fn a_second_controller_finds_the_server_after_the_first_has_gone() {
    let points = Arc::new(StationPoints::new(1));
    let server = FieldIoServer::start(points).await.unwrap();
    for _ in 0..3 {
        let mut client = tcp::connect(server.address()).await.unwrap();
        client.read_discrete_inputs(0, 8).await.unwrap().unwrap();
    }
}

#[test]
fn the_light_is_a_level_and_reads_back_and_pulses_do_not() {
    let points = StationPoints::new(1);
    let write = Request::WriteMultipleCoils(0, vec![true, true, true, true].into());
    assert_eq!(points.answer(&write), Ok(Response::WriteMultipleCoils(0, 4)));
    let coils = points.answer(&Request::ReadCoils(0, 8));
    let mut expected = vec![false; 8];
    expected[Output::Green as usize] = true;
    assert_eq!(coils, Ok(Response::ReadCoils(expected)));
    assert_eq!(points.take_pulses(0), [Pulse::Open, Pulse::Close]);
}

#[test]
fn what_is_not_on_the_map_is_refused_by_the_modbus_code_for_it() {
    let points = StationPoints::new(1);
    for (request, code) in [
        (Request::ReadDiscreteInputs(8, 1), ExceptionCode::IllegalDataAddress),
        (Request::ReadDiscreteInputs(7, 2), ExceptionCode::IllegalDataAddress),
        (Request::ReadInputRegisters(u16::MAX, 2), ExceptionCode::IllegalDataAddress),
        (Request::ReadCoils(0, 0), ExceptionCode::IllegalDataValue),
        (Request::ReadInputRegisters(0, 126), ExceptionCode::IllegalDataValue),
        (Request::WriteSingleCoil(4, true), ExceptionCode::IllegalDataAddress),
        (Request::ReadHoldingRegisters(0, 1), ExceptionCode::IllegalFunction),
    ] {
        assert_eq!(points.answer(&request), Err(code), "{request:?}");
    }
}

#[test]
fn a_lane_that_the_station_does_not_have_is_ignored() {
    let points = StationPoints::new(1);
    let mut road = LaneRoad::new();
    road.step(Duration::from_millis(1), &mut Vec::new());
    points.show(7, &road);
    assert_eq!(points.take_pulses(7), []);
}
