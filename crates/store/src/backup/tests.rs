use super::*;

fn manifest() -> Manifest {
    Manifest {
        format: FORMAT,
        version: "0.1.0".to_owned(),
        enrollment_id: EnrollmentId::from_bytes([7; 32]),
        created_at: Time::from_micros(1_700_000_000_000_000),
        content: true,
    }
}

fn frames() -> Vec<Frame> {
    let content = b"some content";
    vec![
        Frame::Manifest(manifest()),
        Frame::Heads(Revision(41)),
        Frame::Rows(
            Table::Meta,
            vec![(
                Bytes::from_static(b"k"),
                Entry {
                    revision: Revision(3),
                    value: Bytes::from_static(b"\0v"),
                },
            )],
        ),
        Frame::Blob(Blob {
            hash: peerd_core::ContentHash::from_bytes(*blake3::hash(content).as_bytes()),
            size: content.len() as u64,
        }),
        Frame::Part(Bytes::from_static(b"some ")),
        Frame::Part(Bytes::from_static(b"content")),
        Frame::File {
            name: "peerd.toml".to_owned(),
            bytes: Bytes::from_static(b"x"),
        },
    ]
}

fn written(frames: &[Frame]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new()).unwrap();
    for frame in frames {
        writer.frame(frame).unwrap();
    }
    writer.finish(Counts::default()).unwrap().0
}

fn read(bytes: &[u8]) -> Result<Vec<Frame>, Error> {
    let mut reader = Reader::new(bytes)?;
    let mut frames = Vec::new();
    while let Some(frame) = reader.next()? {
        frames.push(frame);
    }
    Ok(frames)
}

#[test]
fn b118_a_backup_is_read_back_as_it_was_written() {
    let frames = frames();
    assert_eq!(read(&written(&frames)).unwrap(), frames);
}

#[test]
fn b118_every_changed_bit_and_every_cut_is_seen() {
    let whole = written(&frames());
    for place in 0..whole.len() {
        let mut altered = whole.clone();
        altered[place] ^= 1;
        assert!(read(&altered).is_err(), "a changed byte {place} is not seen");
        assert!(read(&whole[..place]).is_err(), "a cut at {place} is not seen");
    }
    let more = [whole.as_slice(), b"x"].concat();
    assert!(matches!(read(&more), Err(Error::Trailing)));
}

#[test]
fn b118_a_backup_of_a_newer_format_says_so() {
    let newer = Manifest {
        format: FORMAT + 1,
        ..manifest()
    };
    let told = read(&written(&[Frame::Manifest(newer)])).unwrap_err().to_string();
    assert!(told.contains("upgrade"), "{told}");
}

#[test]
fn what_claims_to_be_long_is_refused_before_it_is_read() {
    let mut bytes = MAGIC.to_vec();
    bytes.push(b'P');
    bytes.extend(u32::MAX.to_be_bytes());
    assert!(matches!(read(&bytes), Err(Error::Malformed(_))));
}

#[test]
fn counts_that_do_not_fit_are_seen() {
    let mut writer = Writer::new(Vec::new()).unwrap();
    writer.frame(&Frame::Manifest(manifest())).unwrap();
    let more = Counts {
        records: 1,
        ..Counts::default()
    };
    let (bytes, _) = writer.finish(more).unwrap();
    assert!(matches!(read(&bytes), Err(Error::Damaged(_))));
}
