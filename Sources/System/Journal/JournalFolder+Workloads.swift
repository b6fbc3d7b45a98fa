// SPDX-License-Identifier: Apache-2.0

import JournalModel
import Linux

/// Files for the containers of a claim, which nearside-node writes.
extension JournalFolder {
    /// Files for the containers of a claim.
    package var workloads: String { "\(path)/workloads" }

    /// Copies of the files for containers. Only nearside-nri can change them.
    package var workloadCopies: String { "\(statesPath)/workloads" }

    /// Writes a workload file of a claim, for all containers or for those with one request.
    package func writeWorkload(_ text: String, _ uid: String, request: String? = nil) throws(JournalError) {
        for part in [uid] + (request.map { [$0] } ?? []) { _ = try checkedFile(.plans, part) }
        let file = "\(workloads)/\(WorkloadFile.name(uid, request: request))"
        do throws(SystemError) {
            try Files.makeFolder(workloads)
            try Files.replace(file, with: [UInt8](text.utf8), isDurable: false)
        } catch { throw JournalError(.systemError, file, .write, "\(error)") }
    }

    /// Removes all workload files of a claim.
    package func removeWorkloads(_ uid: String) throws(JournalError) {
        for name in Files.list(workloads) where name == WorkloadFile.name(uid) || name.hasPrefix("\(uid)_") {
            do throws(SystemError) { try Files.remove("\(workloads)/\(name)") } catch {
                throw JournalError(.systemError, "\(workloads)/\(name)", .remove, "\(error)")
            }
        }
    }
}
