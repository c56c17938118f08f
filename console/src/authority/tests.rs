use super::repo::HourRow;
use super::{csv, station_days};
use crate::language::Language;

fn row(station: &str, hour: i32, vehicle_group: Option<i16>, figures: (i64, i64)) -> HourRow {
    HourRow {
        operator: "cienco4".to_owned(),
        operator_name: "Cienco4".to_owned(),
        currency: "VND".to_owned(),
        station: station.to_owned(),
        station_name: station.to_owned(),
        hour,
        vehicle_group,
        vehicles: figures.0,
        revenue: figures.1,
    }
}

#[test]
fn each_station_has_its_own_hours_classes_and_totals() {
    let rows = vec![
        row("ben-thuy", 7, Some(1), (1_000, 40_000)),
        row("ben-thuy", 7, Some(4), (200, 7_000)),
        row("ben-thuy", 8, Some(1), (40, 64_000)),
        row("hoang-mai", 7, None, (1, 0)),
    ];
    let days = station_days(&rows, Language::English).unwrap();
    assert_eq!(days.len(), 2);
    assert_eq!((days[0].vehicles.as_str(), days[0].revenue.as_str()), ("1,240", "111,000\u{a0}₫"));
    let told = |lines: &[super::HourLine]| -> Vec<String> {
        let line = |one: &super::HourLine| format!("{} {} {}", one.name, one.vehicles, one.revenue);
        lines.iter().map(|one| line(one).replace('\u{a0}', "")).collect()
    };
    assert_eq!(told(&days[0].hours), ["07:00 1,200 47,000₫", "08:00 40 64,000₫"]);
    assert_eq!(told(&days[0].classes), ["1 1,040 104,000₫", "4 200 7,000₫"]);
    assert_eq!(days[0].chart.columns.len(), 24);
    assert_eq!(days[0].classes_chart.columns.len(), 2);
    assert_eq!(days[1].vehicles, "1");
    assert_eq!(days[1].classes[0].name, "Unknown");
}

#[test]
fn an_export_has_a_line_for_each_hour_and_group_and_names_nobody() {
    let rows = vec![row("ben-thuy", 7, Some(1), (1_000, 40_000)), row("ben-thuy", 8, None, (1, 0))];
    assert_eq!(
        csv("2026-03-02".parse().unwrap(), &rows),
        "day,operator,station,hour,vehicle_group,vehicles,revenue,currency\r\n\
         2026-03-02,cienco4,ben-thuy,7,1,1000,40000,VND\r\n\
         2026-03-02,cienco4,ben-thuy,8,,1,0,VND\r\n"
    );
}
