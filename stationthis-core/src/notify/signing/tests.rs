use super::*;

/// Secret, id, time, body, signature. The first two are the specification's published example secret; all three
/// signatures were computed with its Python library, standardwebhooks 1.1.0.
const VECTORS: [(&str, &str, i64, &str, &str); 3] = [
    (
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1_614_265_330,
        r#"{"test": 2432232314}"#,
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    ),
    (
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1_614_265_330,
        "",
        "v1,v48jdbgvh29KJz2Qc+ghw8G6vG3nAKnujWBg8oM/62A=",
    ),
    (
        "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "01a212ca-fcb3-70c7-945f-91d18f9bd495",
        1_764_000_000,
        r#"{"type":"task.finished","data":{"é":"🦊"}}"#,
        "v1,rbPLc5czuiNA2IKvIWoekMtIePDk3Rv8eoBj2C9GZ+Q=",
    ),
];

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn keys(secret: &str) -> SigningKeys {
    SigningKeys::new(Secret::new(secret)).unwrap()
}

#[test]
fn signatures_are_those_of_the_specifications_own_library() {
    for (secret, id, seconds, body, signature) in VECTORS {
        let signed = keys(secret).sign(id, at(seconds), body.as_bytes()).unwrap();
        assert_eq!(signed, Signed::new(id, seconds.to_string(), signature));
        keys(secret).verify(&signed, body.as_bytes(), at(seconds)).unwrap();
    }
}

#[test]
fn what_was_changed_on_the_way_is_refused() {
    let (secret, id, seconds, body, signature) = VECTORS[0];
    let keys = keys(secret);
    let check = |id: &str, time: &str, signature: &str, body: &str, now: i64| {
        keys.verify(&Signed::new(id, time, signature), body.as_bytes(), at(now)).map_err(|e| e.kind())
    };
    let time = seconds.to_string();
    let later = (seconds + 1).to_string();
    assert_eq!(check(id, &time, signature, body, seconds), Ok(()));
    for (what, result) in [
        ("another body", check(id, &time, signature, "{}", seconds)),
        ("another id", check("msg_x", &time, signature, body, seconds)),
        ("another time", check(id, &later, signature, body, seconds)),
        ("no time", check(id, "", signature, body, seconds)),
        ("no number", check(id, "soon", signature, body, seconds)),
        ("the largest number", check(id, &i64::MAX.to_string(), signature, body, seconds)),
        ("the smallest number", check(id, &i64::MIN.to_string(), signature, body, seconds)),
        ("no signature", check(id, &time, "", body, seconds)),
        ("no version", check(id, &time, signature.trim_start_matches("v1,"), body, seconds)),
        ("another version", check(id, &time, &signature.replace("v1,", "v1a,"), body, seconds)),
        ("half a signature", check(id, &time, &signature[..20], body, seconds)),
        ("too old", check(id, &time, signature, body, seconds + 301)),
        ("too new", check(id, &time, signature, body, seconds - 301)),
    ] {
        assert_eq!(result, Err(ErrorKind::Unauthorized), "{what}");
    }
    for now in [seconds - 300, seconds + 300] {
        assert_eq!(check(id, &time, signature, body, now), Ok(()), "within the tolerance");
    }
    let among_others = format!("v1a,AAAA v1,!!! v1,AAAA {signature}");
    assert_eq!(check(id, &time, &among_others, body, seconds), Ok(()));
}

#[test]
fn while_keys_rotate_both_sign_and_a_receiver_needs_only_one() {
    let (old, new) = (SigningKeys::generate(), SigningKeys::generate());
    let end = at(1_000);
    let both = SigningKeys::new(new.clone()).unwrap().with_older(old.clone(), Some(end)).unwrap();
    let signed = both.sign("n1", at(999), b"x").unwrap();
    assert_eq!(signed.signature.split(' ').count(), 2);
    for receiver in [&old, &new] {
        keys(receiver.expose()).verify(&signed, b"x", at(999)).unwrap();
    }
    let signed = both.sign("n1", end, b"x").unwrap();
    assert_eq!(signed.signature.split(' ').count(), 1, "an ended key signs no more");
    keys(new.expose()).verify(&signed, b"x", end).unwrap();
    assert!(keys(old.expose()).verify(&signed, b"x", end).is_err());
}

#[test]
fn each_caller_has_a_secret_of_its_own_that_stays_the_same() {
    let masters = keys(VECTORS[2].0);
    let secret = |caller: &str| {
        let keys = masters.for_caller(&CallerId::new(caller).unwrap()).unwrap();
        let secrets: Vec<String> = keys.secrets(at(0)).map(|secret| secret.expose().to_owned()).collect();
        secrets.join(" ")
    };
    // HMAC-SHA256 over "webhook-secret.v1\nada" with the bytes 0 to 31, computed with Python's hmac.
    assert_eq!(secret("ada"), "whsec_JF6sDOKASjeagHWVcx9+xain2WWZrxfrMS+qhL2XTeU=");
    assert_ne!(secret("ada"), secret("eve"));
    let signed = masters.for_caller(&CallerId::new("ada").unwrap()).unwrap().sign("n", at(0), b"").unwrap();
    assert!(masters.verify(&signed, b"", at(0)).is_err(), "the master key itself signs nothing");
}

#[test]
fn unusable_secrets_are_refused_and_none_is_shown() {
    let short = "whsec_c2hvcnQ=";
    let long = format!("whsec_{}", BASE64.encode([7; 65]));
    for text in ["", "whsec_", short, long.as_str(), "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_not base64 at all, no"]
    {
        assert_eq!(SigningKeys::new(Secret::new(text)).unwrap_err().kind(), ErrorKind::InvalidInput, "{text}");
    }
    assert_eq!(format!("{:?}", keys(VECTORS[0].0)), "SigningKeys { keys: 1 }");
    assert_ne!(SigningKeys::generate().expose(), SigningKeys::generate().expose());
    SigningKeys::new(SigningKeys::generate()).unwrap();
}
