// SPDX-License-Identifier: Apache-2.0

import Hardware
import Linux
import Logging

/// The devices that were last published, kept in a file for the next instance: they describe interfaces that are in pods now, and devices
/// and interfaces that were lost.
///
/// A damaged file stays until the operator removes it: nothing else knows the interfaces that it described. Until then a device without an
/// interface may have had one.
struct MachineMemory {
    let file: String
    /// Nil when nothing was published before.
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
            "machine.json is damaged; NICs without an interface are refused until the file is removed and this program restarted",
            metadata: ["file": "\(file)", "error": "\(reason)"])
    }

    /// - Returns: true when there is something to save.
    mutating func update(_ machine: Machine) -> Bool {
        guard machine != self.machine else { return false }
        self.machine = machine
        return !isDamaged
    }

    /// Writes the file, on a thread that may block.
    func save(log: Logger) async {
        guard let machine else { return }
        let file = file
        await CachedThreadPool.shared.value {
            do { try Files.replace(file, with: MachineDescription(machine: machine).json(), mode: 0o600) } catch {
                log.error("published devices cannot be kept for the next start", metadata: ["error": "\(error)"])
            }
        }
    }
}
