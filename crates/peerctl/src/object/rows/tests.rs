use std::io::Write as _;
use std::iter;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

/// Something and the line it is in.
type Lined<T> = Vec<(u64, T)>;

/// Cells of the good rows, and the reasons of the bad ones.
fn read(rows: &mut Rows<impl Read>) -> (Lined<Vec<String>>, Lined<String>) {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next().expect("a readable file") {
        match row {
            Row::Good(pb::LoadRow { line, content }) => good.push((
                line,
                match content.expect("content") {
                    pb::load_row::Content::Cells(pb::Cells { values }) => values,
                    pb::load_row::Content::Json(json) => vec![json],
                },
            )),
            Row::Bad(rejection) => bad.push((rejection.line, rejection.reason)),
        }
    }
    (good, bad)
}

fn csv(bytes: impl Read) -> Rows<impl Read> {
    Rows::Csv(Box::new(Csv::new(bytes).expect("a header")))
}

fn ndjson(bytes: impl Read) -> Rows<impl Read> {
    Rows::Ndjson(Ndjson::new(bytes).expect("bytes"))
}

fn cells(values: &[&str]) -> Vec<String> {
    values.iter().map(|&value| value.to_owned()).collect()
}

const INVALID: &str = "OBJECT_INVALID";
const LARGE: &str = "TOO_LARGE";

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_column() {
    let rows = csv(&b"\xef\xbb\xbffaa,name\nJFK,Kennedy\n"[..]);
    assert_eq!(rows.columns(), ["faa", "name"]);
    let (good, _) = read(&mut ndjson(&b"\xef\xbb\xbf{}\n"[..]));
    assert_eq!(good, [(1, cells(&["{}"]))]);
}

#[test]
fn lines_are_counted_through_quotes_blank_lines_and_either_line_end() {
    let text = "a,b\r\n1,2\r\n\r\n\"x\r\ny\",\"say \"\"hi\"\"\"\r\n3,4";
    let (good, bad) = read(&mut csv(text.as_bytes()));
    assert_eq!(
        good,
        [
            (2, cells(&["1", "2"])),
            (4, cells(&["x\r\ny", "say \"hi\""])),
            (6, cells(&["3", "4"])),
        ]
    );
    assert!(bad.is_empty());
}

#[test]
fn bad_rows_are_rejected_by_line_and_the_rest_goes_on() {
    let text = b"a,b\n1,2\n1\n1,2,3\nx\0,2\n\xff,2\n\xc3,\xa9\n5,6\n";
    let (good, bad) = read(&mut csv(&text[..]));
    assert_eq!(good, [(2, cells(&["1", "2"])), (8, cells(&["5", "6"]))]);
    assert_eq!(bad, [3, 4, 5, 6, 7].map(|line| (line, INVALID.to_owned())));

    let text = b"{\"a\":1}\r\n\n{\"a\":\"\0\"}\n{\"a\":\"\xff\"}\n  {\"a\":2}  ";
    let (good, bad) = read(&mut ndjson(&text[..]));
    assert_eq!(good, [(1, cells(&["{\"a\":1}"])), (5, cells(&["{\"a\":2}"]))]);
    assert_eq!(bad, [(3, INVALID.to_owned()), (4, INVALID.to_owned())]);
}

#[test]
fn a_header_is_there_once_and_readable() {
    for bad in ["", "\n\n", "a,b,a\n", "a,\0\n"] {
        assert!(
            matches!(Csv::new(bad.as_bytes()), Err(Fault::Header(_))),
            "{bad:?}"
        );
    }
    assert!(matches!(Csv::new(&b"a,\xff\n"[..]), Err(Fault::Header(_))));
    let long = io::repeat(b'a').take(10 << 20);
    assert!(matches!(Csv::new(long), Err(Fault::Header(_))));
}

/// 100 MB that are never in memory at once, between a start and an end.
fn hundred_megabytes(start: &'static str, end: &'static str) -> impl Read {
    let middle = io::repeat(b'x').take(100_000_000);
    start.as_bytes().chain(middle).chain(end.as_bytes())
}

#[test]
fn a_row_of_100_mb_is_rejected_by_line_and_not_held() {
    let mut csv = Csv::new(hundred_megabytes("a,b\n1,2\n3,", "\n5,6\n")).expect("a header");
    let mut lines = Vec::new();
    while let Some(row) = csv.next().expect("rows") {
        lines.push(match row {
            Row::Good(row) => (row.line, String::new()),
            Row::Bad(rejection) => (rejection.line, rejection.reason),
        });
    }
    let good = |line| (line, String::new());
    assert_eq!(lines, [good(2), (3, LARGE.to_owned()), good(4)]);
    assert!(csv.held_bytes() <= 5 << 20, "{}", csv.held_bytes());
}

#[test]
fn a_quote_left_open_swallows_the_rest_but_no_memory() {
    let (good, bad) = read(&mut csv(hundred_megabytes("a,b\n1,\"", "\n5,6\n")));
    assert!(good.is_empty());
    assert_eq!(bad, [(2, LARGE.to_owned())]);
    let commas = iter::repeat_n(b',', 1 << 20).collect::<Vec<u8>>();
    let (good, bad) = read(&mut csv(b"a,b\n".chain(&commas[..]).chain(&b"\n5,6\n"[..])));
    assert_eq!(
        (good, bad),
        (vec![(3, cells(&["5", "6"]))], vec![(2, LARGE.to_owned())])
    );
}

#[test]
fn a_json_line_of_100_mb_is_rejected_by_line() {
    let (good, bad) = read(&mut ndjson(hundred_megabytes("{}\n", "\n{}\n")));
    assert_eq!(good, [(1, cells(&["{}"])), (3, cells(&["{}"]))]);
    assert_eq!(bad, [(2, LARGE.to_owned())]);
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(text.as_bytes()).expect("write");
    encoder.finish().expect("gzip")
}

#[test]
fn a_file_is_what_its_ending_says_and_gzip_may_have_several_members() {
    let dir = tempfile::tempdir().expect("a directory");
    let write = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).expect("write");
        open(&path, &ProgressBar::hidden())
    };
    let members = [gzip("a,b\n1,2\n"), gzip("3,4\n")].concat();
    let (good, _) = read(&mut write("x.CSV.gz", &members).expect("a file"));
    assert_eq!(good, [(2, cells(&["1", "2"])), (3, cells(&["3", "4"]))]);
    let (good, _) = read(&mut write("x.ndjson.gz", &gzip("{}\n")).expect("a file"));
    assert_eq!(good, [(1, cells(&["{}"]))]);
    for (name, bytes) in [
        ("x.txt", "a\n1\n"),
        ("x.gz", "a\n1\n"),
        ("x.csv.gz", "no gzip"),
        ("x.csv", ""),
    ] {
        let Err(error) = write(name, bytes.as_bytes()) else {
            panic!("{name} was opened");
        };
        assert_eq!(error.exit(), 6, "{name}");
    }
}

#[test]
fn a_gzip_that_ends_too_early_is_a_fault_after_its_good_rows() {
    let whole = gzip(
        &iter::once("a\n")
            .chain(iter::repeat_n("1\n", 100_000))
            .collect::<String>(),
    );
    let torn = MultiGzDecoder::new(&whole[..whole.len() / 2]);
    let mut rows = csv(torn);
    let mut good = 0;
    let fault = loop {
        match rows.next() {
            Ok(row) => {
                assert!(matches!(row, Some(Row::Good(_))), "{row:?}");
                good += 1;
            }
            Err(fault) => break fault,
        }
    };
    assert!(good > 1_000, "{good}");
    assert!(
        matches!(fault, Fault::Read { line, .. } if line > 1_000),
        "{fault}"
    );
}
