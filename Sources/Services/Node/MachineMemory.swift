// SPDX-License-Identifier: Apache-2.0

import Hardware
import Linux
import Logging

/// The devices as last published, kept on disk for the next instance: they tell of interfaces that are in pods now, and of devices and
/// interfaces that were lost.
///
/// A file that is damaged stays until the operator removes it: what it said of interfaces is known to nobody else. Until then a device
/// without an interface may have had one.
struct MachineMemory {
    let file: String
    /// Nil when nothing is known of an earlier time.
    private(set) var machine: Machine?
    private(set) var isDamaged = false

    init(_ file: String, log: Logger) {
        self.file = file
        do throws(SystemError) {
            let bytes = try Files.read(file, limit: Self.sizeLimit)
            do throws(MachineDescription.Malformed) { machine = try MachineDescription(json: bytes).machine } catch {
                refuse("\(error)", log)
            }
        } catch {
            if !error.isNotFound { refuse("\(error)", log) }
        }
    }

    private static let sizeLimit = 64 << 20

    private mutating func refuse(_ reason: String, _ log: Logger) {
        isDamaged = true
        log.error(
            "the memory of this machine's interfaces is damaged; NICs without an interface are refused until the file is removed and this program restarted",
            metadata: ["file": "\(file)", "error": "\(reason)"])
    }

    mutating func keep(_ machine: Machine, log: Logger) {
        guard machine != self.machine else { return }
        self.machine = machine
        guard !isDamaged else { return }
        do { try Files.replace(file, with: MachineDescription(machine: machine).json(), mode: 0o600) } catch {
            log.error("what is published cannot be kept for the next start", metadata: ["error": "\(error)"])
        }
    }
}
