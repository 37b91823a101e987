//! Files that cannot be used: every error names the file and shows nothing of it.

use transport::{
    ClientAuthentication, ClientIdentity, ServerCertificate, TlsError, TlsOptions, TrustRoots, client_config,
    server_config,
};

use crate::certificates::Authority;

#[test]
fn trust_bundles() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue("a", "a.example", 2050);
    let text = |path| std::fs::read_to_string(path).unwrap();
    let bundle =
        authority.write("bundle.pem", &format!("comment\n{}{}", text(authority.ca()), text(certificate)));
    let TrustRoots::Only(store) = TrustRoots::from_file(&bundle).unwrap() else { panic!("not only these") };
    assert_eq!(store.len(), 2);

    for (file, content, expected) in [
        ("empty.pem", String::new(), "holds no certificate"),
        ("key.pem", text(key), "holds no certificate"),
        ("text.pem", "hunter2".into(), "holds no certificate"),
        ("cut.pem", "-----BEGIN CERTIFICATE-----\nhunter2\n".into(), "no END line"),
        (
            "base64.pem",
            "-----BEGIN CERTIFICATE-----\n!hunter2!\n-----END CERTIFICATE-----\n".into(),
            "not Base64",
        ),
        (
            "der.pem",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".into(),
            "certificate 1 of",
        ),
    ] {
        let path = authority.write(file, &content);
        let error = TrustRoots::from_file(&path).unwrap_err().to_string();
        assert!(error.contains(file) && error.contains(expected) && !error.contains("hunter2"), "{error}");
    }
    let error = TrustRoots::from_file(&authority.path("missing.pem")).unwrap_err();
    assert!(matches!(&error, TlsError::Read { .. }) && error.to_string().contains("missing.pem"), "{error}");
}

#[test]
fn certificates_and_keys() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue("a", "a.example", 2050);
    let (_, other_key) = authority.issue("b", "a.example", 2050);
    let broken = authority.write("broken.key", "-----BEGIN PRIVATE KEY-----\nhunter2");
    assert!(ClientIdentity::from_files(&certificate, &key).is_ok());
    for (certificate, key, file) in [
        (&certificate, &other_key, "b.key"),
        (&certificate, &certificate, "a.pem"),
        (&key, &key, "a.key"),
        (&certificate, &broken, "broken.key"),
    ] {
        for error in [
            ClientIdentity::from_files(certificate, key).unwrap_err(),
            ServerCertificate::load(certificate, key).unwrap_err(),
            client_config(
                &TlsOptions { ca: Some(authority.ca()), identity: Some((certificate.clone(), key.clone())) },
                &[],
            )
            .unwrap_err(),
        ] {
            let error = error.to_string();
            assert!(error.contains(file) && !error.contains("hunter2"), "{error}");
        }
    }
    assert!(!format!("{:?}", ClientIdentity::from_files(&certificate, &key).unwrap()).contains('['));
}

#[test]
fn the_authority_of_clients() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue("a", "a.example", 2050);
    let served = ServerCertificate::load(&certificate, &key).unwrap();
    let clients = ClientAuthentication { ca: authority.path("missing.pem"), required: true };
    let error = server_config(served, Some(&clients)).unwrap_err();
    assert!(error.to_string().contains("missing.pem"), "{error}");
}
