// SPDX-License-Identifier: Apache-2.0

package import CDI
package import JournalModel
package import Linux

/// Writes and removes the CDI specifications of claims, from their plans. It is the only writer of this driver's specifications.
///
/// ## Concurrency model
/// Used by one thread.
package struct SpecPublisher: Sendable {
    private let planner: SpecPlanner
    private let check: DeviceNodeCheck
    private let folder: SpecFolder
    /// Path of the folder with the workload files of `nearside-node`.
    private let source: String

    package init(_ planner: SpecPlanner, check: DeviceNodeCheck, folder: SpecFolder, source: String) {
        self.planner = planner
        self.check = check
        self.folder = folder
        self.source = source
    }

    /// Checks the plan, and writes its specification and workload files if they differ.
    ///
    /// - Throws: ``SpecRefusal``; then the specification is not written.
    package func publish(_ plan: ClaimPlan) throws(SpecRefusal) {
        guard let spec = try planner.spec(plan) else { return }
        for device in plan.devices {
            guard let access = device.access else { continue }
            for node in access.nodes { try check.check(node, of: access.address) }
        }
        for name in planner.files(plan) { try copy(name) }
        do { try folder.write(spec, named: name(plan.claim.uid)) } catch {
            throw SpecRefusal(.unwritable, "\(folder.path)/\(name(plan.claim.uid)).json", "\(error)")
        }
    }

    /// Removes the specification and the workload files of a claim, if they exist.
    package func withdraw(_ uid: String) throws(SystemError) {
        guard PlanText.isUID(uid) else { return }
        try folder.remove(named: name(uid))
        for file in Files.list(planner.workloads) where file == WorkloadFile.name(uid) || file.hasPrefix("\(uid)_") {
            try Files.remove("\(planner.workloads)/\(file)")
        }
    }

    /// Publishes all prepared plans, and withdraws the specifications of claims without a plan. Called after a start, when the folder may
    /// have been emptied (kubernetes/kubernetes#141433) or plans may have been removed.
    ///
    /// - Parameter unreadable: UIDs of claims with unreadable plans, whose specifications stay.
    /// - Returns: an error for each specification that could not be published or withdrawn.
    package func restore(_ plans: [ClaimPlan], unreadable: Set<String>) -> [AttachmentError] {
        var failures: [AttachmentError] = []
        for plan in plans where plan.phase == .prepared {
            do throws(SpecRefusal) { try publish(plan) } catch {
                failures.append(AttachmentError(.specification, "claim \(plan.claim)", error))
            }
        }
        let known = unreadable.union(plans.map(\.claim.uid))
        let prefix = "\(planner.driver)-"
        // The name of another driver can begin with this driver's name and a dash.
        let kinds: [String?] = [nil, DeviceNames.kind(driver: planner.driver)]
        let files = folder.names().filter { $0.hasPrefix(prefix) && kinds.contains(folder.kind(named: $0)) }.map {
            String($0.dropFirst(prefix.count))
        }
        let copies = Files.list(planner.workloads).map { String($0.prefix { $0 != "." && $0 != "_" }) }
        for uid in Set(files + copies).subtracting(known).sorted() {
            do throws(SystemError) { try withdraw(uid) } catch {
                failures.append(AttachmentError(.specification, "claim \(uid)", step: "withdraw its CDI specification", error))
            }
        }
        return failures
    }

    private func name(_ uid: String) -> String { "\(planner.driver)-\(uid)" }

    /// Copies a workload file for containers, so that only this program can change it: a symbolic link in its place could expose any file
    /// of the host.
    private func copy(_ name: String) throws(SpecRefusal) {
        do throws(SystemError) {
            let bytes = try Files.readPlain(name, in: source)
            try Files.makeFolder(planner.workloads)
            let copy = "\(planner.workloads)/\(name)"
            if (try? Files.read(copy)) != bytes { try Files.replace(copy, with: bytes, isDurable: false) }
        } catch { throw SpecRefusal(.unusableFile, "\(source)/\(name)", "\(error)") }
    }
}
