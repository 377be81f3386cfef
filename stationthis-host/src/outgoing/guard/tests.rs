use super::*;

fn guard(open: &[&str]) -> Guard {
    Guard::new(open.iter().map(|range| range.parse().unwrap()).collect())
}

const PUBLIC: [&str; 8] = [
    "1.1.1.1",
    "9.255.255.255",
    "100.63.255.255",
    "172.15.255.255",
    "172.32.0.1",
    "223.255.255.255",
    "2606:4700::1111",
    "2a00:1450:4001::1",
];

const REFUSED: [&str; 40] = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::808:808",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
];

#[test]
fn public_addresses_are_allowed_and_all_others_refused() {
    for text in PUBLIC {
        assert!(guard(&[]).allows(text.parse().unwrap()), "{text}");
    }
    for text in REFUSED {
        assert!(!guard(&[]).allows(text.parse().unwrap()), "{text}");
    }
    for text in ["::ffff:8.8.8.8", "64:ff9b::808:808"] {
        assert!(guard(&[]).allows(text.parse().unwrap()), "{text} is a public IPv4 address in another form");
    }
}

#[test]
fn an_opened_range_is_open_in_every_form_and_nothing_beside_it() {
    let guard = guard(&["10.1.0.0/16", "127.0.0.1", "fd00::/8"]);
    for text in ["10.1.2.3", "::ffff:10.1.2.3", "127.0.0.1", "fd12::1"] {
        assert!(guard.allows(text.parse().unwrap()), "{text}");
    }
    for text in ["10.2.0.1", "127.0.0.2", "::1", "fe80::1"] {
        assert!(!guard.allows(text.parse().unwrap()), "{text}");
    }
    for text in ["", "10.0.0.0/33", "ten", "10.0.0.0/8,11.0.0.0/8"] {
        assert_eq!(text.parse::<AddressRange>().unwrap_err().kind(), ErrorKind::InvalidInput, "{text}");
    }
}

#[test]
fn an_address_is_judged_as_it_is_written() {
    for address in [
        "https://hooks.example/a?b=c",
        "http://1.1.1.1:8080/",
        "https://[2606:4700::1111]/",
        "https://localhost.example/",
        "https://notlocalhost/",
    ] {
        guard(&[]).check(address).unwrap();
    }
    for address in [
        "",
        "hooks.example",
        "ftp://hooks.example/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://",
        "https://ada@hooks.example/",
        "https://ada:pw@hooks.example/",
        "https://:pw@hooks.example/",
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f.0.0.1/",
        "http://0177.0.0.1/",
        "http://0/",
        "http://127.0.0.1./",
        "http://127%2e0.0.1/",
        "http://0x7f000001/",
        "http://[::127.0.0.1]/",
        "http://[fe80::1]/",
        "http:/127.0.0.1/",
        "http:\\\\127.0.0.1/",
        "http://hooks.example@127.0.0.1/",
        " http://127.0.0.1/",
        "HTTP://127.0.0.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://１２７.0.0.1/",
        "http://127。0。0。1/",
        "http://localhost/",
        "http://LOCALHOST.:8080/",
        "http://a.localhost/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[64:ff9b::a9fe:a9fe]/",
    ] {
        let error = guard(&[]).check(address).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{address}");
        assert!(!error.to_string().contains("pw"), "{error}");
    }
}

#[test]
fn a_configured_origin_is_trusted_with_its_port_alone() {
    let url = |text: &str| Url::parse(text).unwrap();
    let guard = guard(&[]).trusting(&url("http://127.0.0.1:9000/api")).trusting(&url("https://comfy.lan/api"));
    guard.check("http://127.0.0.1:9000/view?f=a.png").unwrap();
    assert!(guard.check("http://127.0.0.1:9001/").is_err());
    assert!(guard.trusts(&url("https://COMFY.lan:443/x")));
    assert!(!guard.trusts(&url("http://comfy.lan/")) && !guard.trusts(&url("https://other.lan/")));
}
