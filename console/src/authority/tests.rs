use super::chart::{Chart, HEIGHT, WIDTH};
use super::repo::HourRow;
use super::station_days;
use crate::language::Language;

fn row(station: &str, hour: i32, vehicles: i64, revenue: i64) -> HourRow {
    HourRow {
        operator: "cienco4".to_owned(),
        operator_name: "Cienco4".to_owned(),
        currency: "VND".to_owned(),
        station: station.to_owned(),
        station_name: station.to_owned(),
        hour,
        vehicles,
        revenue,
    }
}

#[test]
fn each_station_has_its_own_hours_and_totals() {
    let rows = vec![
        row("ben-thuy", 7, 1_200, 47_000),
        row("ben-thuy", 8, 40, 64_000),
        row("hoang-mai", 7, 1, 0),
    ];
    let days = station_days(&rows, Language::English).unwrap();
    assert_eq!(days.len(), 2);
    assert_eq!((days[0].vehicles.as_str(), days[0].revenue.as_str()), ("1,240", "111,000\u{a0}₫"));
    assert_eq!(days[0].hours[1].hour, "08:00");
    assert_eq!(days[1].vehicles, "1");
}

#[test]
fn columns_stay_on_the_canvas_and_are_as_high_as_their_share() {
    let mut by_hour = [0; 24];
    by_hour[0] = 1_000;
    by_hour[12] = 500;
    by_hour[23] = 1;
    let chart = Chart::new(&by_hour);
    assert_eq!(chart.columns.len(), 24);
    for column in &chart.columns {
        assert!(column.x + column.width <= WIDTH && column.y + column.height <= HEIGHT);
    }
    assert_eq!(chart.columns[12].height * 2, chart.columns[0].height);
    assert_eq!(chart.columns[23].height, 1, "little is not nothing");
    assert_eq!(chart.columns[5].height, 0);
    let values: Vec<u64> = chart.lines.iter().map(|line| line.value).collect();
    assert_eq!(values, [0, 500, 1_000]);
}

#[test]
fn the_axis_ends_at_a_round_number() {
    for (highest, top) in [(0, 1), (1, 1), (3, 5), (6, 10), (11, 20), (201, 500)] {
        let mut by_hour = [0; 24];
        by_hour[3] = highest;
        assert_eq!(Chart::new(&by_hour).lines.last().unwrap().value, top, "{highest}");
    }
}
