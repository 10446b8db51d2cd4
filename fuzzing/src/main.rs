//! `fuzzing FOLDER`: writes the seeds of each target into a folder of its name, and prints the names.

use std::path::PathBuf;

use fuzzing::TARGETS;

fn main() -> std::io::Result<()> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    for target in TARGETS {
        println!("{}", target.name);
        let Some(folder) = folder.as_ref().map(|it| it.join(target.name)) else {
            continue;
        };
        std::fs::create_dir_all(&folder)?;
        for (number, seed) in (target.seeds)().iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{number}")), seed)?;
        }
    }
    Ok(())
}
