//! A camera made of software: posts what it reads in either of the two common formats, written
//! from the formats' descriptions and nothing else.

use std::io;
use std::net::SocketAddr;

use domain::{Plate, Timestamp};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What a camera writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CameraFormat {
    /// XML and pictures in parts.
    Hikvision,
    /// `key=value` lines and pictures in parts.
    DahuaLines,
    /// JSON.
    DahuaJson,
}

/// What a camera read.
#[derive(Debug, Clone)]
pub struct Read<'a> {
    /// The plate.
    pub plate: &'a Plate,
    /// How sure it is: of 100, or of 255 where the format is Dahua's.
    pub confidence: u8,
    /// When.
    pub at: Timestamp,
    /// Pictures, each under the name that such cameras give it; JSON goes without.
    pub pictures: &'a [(&'a str, &'a [u8])],
}

/// What cameras call the picture of a plate, and that of the whole.
pub const PLATE_PICTURE: &str = "licensePlatePicture.jpg";
/// See [`PLATE_PICTURE`].
pub const OVERVIEW_PICTURE: &str = "detectionPicture.jpg";

const BOUNDARY: &str = "simulated-boundary";

/// The content type and body of a post.
#[must_use]
pub fn message(format: CameraFormat, read: &Read<'_>) -> (String, Vec<u8>) {
    let (plate, confidence, at) = (read.plate.as_str(), read.confidence, read.at);
    let (seconds, millis) = (at.as_second(), at.subsec_millisecond());
    match format {
        CameraFormat::Hikvision => {
            let event = format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<EventNotificationAlert \
                 version=\"2.0\" xmlns=\"http://www.isapi.org/ver20/XMLSchema\">\n\
                 <channelID>1</channelID>\n<dateTime>{at}</dateTime>\n\
                 <eventType>ANPR</eventType>\n<eventState>active</eventState>\n<ANPR>\n\
                 <licensePlate>{plate}</licensePlate>\n\
                 <confidenceLevel>{confidence}</confidenceLevel>\n</ANPR>\n\
                 </EventNotificationAlert>\n"
            );
            parts("anpr.xml", "text/xml", &event, read.pictures)
        }
        CameraFormat::DahuaLines => {
            let event = format!(
                "Events[0].EventBaseInfo.Code=TrafficJunction\r\n\
                 Events[0].Object.ObjectType=Plate\r\nEvents[0].Object.Text={plate}\r\n\
                 Events[0].Object.Confidence={confidence}\r\n\
                 Events[0].UTC={seconds}\r\nEvents[0].UTCMS={millis}\r\n"
            );
            parts("event", "text/plain", &event, read.pictures)
        }
        CameraFormat::DahuaJson => {
            let event = serde_json::json!({"Events": [{
                "Code": "TrafficJunction", "UTC": seconds, "UTCMS": millis,
                "Object": {"ObjectType": "Vehicle", "Confidence": confidence},
                "TrafficCar": {"PlateNumber": plate},
            }]});
            ("application/json".to_owned(), event.to_string().into_bytes())
        }
    }
}

fn parts(name: &str, kind: &str, event: &str, pictures: &[(&str, &[u8])]) -> (String, Vec<u8>) {
    let mut body = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\
         Content-Type: {kind}\r\n\r\n{event}"
    )
    .into_bytes();
    for (name, picture) in pictures {
        let head = format!(
            "\r\n--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"; \
             filename=\"{name}\"\r\nContent-Type: image/jpeg\r\n\r\n"
        );
        body.extend(head.into_bytes());
        body.extend(*picture);
    }
    body.extend(format!("\r\n--{BOUNDARY}--\r\n").into_bytes());
    (format!("multipart/form-data; boundary={BOUNDARY}"), body)
}

/// Posts to a listener's path and returns the status of its answer.
///
/// # Errors
/// When the line failed, or the answer is none.
pub async fn post(
    listener: SocketAddr,
    path: &str,
    (content_type, body): &(String, Vec<u8>),
) -> io::Result<u16> {
    let mut stream = TcpStream::connect(listener).await?;
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {listener}\r\nConnection: close\r\n\
         Content-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no HTTP answer"))
}
