//! `drydock-inside serve ROOT` answers on its standard streams; `drydock-inside wait` does nothing
//! until it is ended, so that its container runs; `drydock-inside check ROOT LIST` compares files with a
//! list of digests.

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    match arguments.iter().map(|word| word.to_str()).collect::<Vec<_>>().as_slice() {
        [Some("serve"), _] => {
            let (from, to) = (std::io::stdin().lock(), std::io::stdout().lock());
            match drydock_inside::serve::serve(arguments[1].as_ref(), from, to) {
                Ok(()) => ExitCode::SUCCESS,
                Err(cause) => {
                    eprintln!("drydock-inside: {cause}");
                    ExitCode::FAILURE
                }
            }
        }
        [Some("check"), _, _] => {
            let list = std::fs::File::open(&arguments[2]).map(std::io::BufReader::new);
            match list.and_then(|list| drydock_inside::check::differing(arguments[1].as_ref(), list)) {
                Ok(names) if names.is_empty() => ExitCode::SUCCESS,
                Ok(names) => {
                    for name in names {
                        println!("{}: FAILED", name.escape_debug());
                    }
                    ExitCode::FAILURE
                }
                Err(cause) => {
                    println!("drydock-inside: {cause}");
                    ExitCode::FAILURE
                }
            }
        }
        [Some("wait")] => loop {
            std::thread::park();
        },
        _ => {
            eprintln!("drydock-inside serve ROOT | check ROOT LIST | wait");
            ExitCode::from(2)
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("drydock-inside runs in containers");
    ExitCode::from(2)
}
