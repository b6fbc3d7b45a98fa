// SPDX-License-Identifier: Apache-2.0

import Hardware
import Linux
import Logging
import Primitives

/// The last published devices, saved in a file for the next instance. They describe interfaces that are in pods, and lost devices and
/// interfaces.
///
/// A damaged file stays until the operator removes it, because no other source has the interfaces that it described. Until then any
/// device without an interface may have lost one.
struct MachineMemory {
    let file: String
    /// Nil if no devices were published before.
    private(set) var machine: Machine?
    private(set) var isDamaged = false

    init(_ file: String, log: Logger) {
        self.file = file
        do throws(SystemError) {
            let bytes = try Files.read(file, limit: Self.sizeLimit)
            do throws(InputError) { machine = try MachineDescription(json: bytes).machine } catch {
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

    /// - Returns: true if the machine has to be saved.
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
                log.error("saving the published devices failed", metadata: ["error": "\(error)"])
            }
        }
    }
}
