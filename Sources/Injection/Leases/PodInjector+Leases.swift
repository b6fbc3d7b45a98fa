// SPDX-License-Identifier: Apache-2.0

import Addressing
import Journal
package import Linux
import Logging
import PodNetwork

extension PodInjector {
    /// Starts the clients of interfaces that ask a server for their address, where they do not run.
    func startClients(_ plan: ClaimPlan, _ state: ClaimState, _ identity: FileIdentity) throws(InjectionError) {
        for attachment in state.attachments where attachment.phase == .attached && attachment.namespace == identity {
            for family in attachment.leaseFamilies { try startClient(attachment, family, of: plan.claim) }
        }
    }

    /// The clients of the program before us ended with it.
    func resumeClients() {
        lacksClients = false
        for state in states.all {
            for attachment in state.attachments where attachment.phase == .attached {
                for family in attachment.leaseFamilies {
                    do throws(InjectionError) { try startClient(attachment, family, of: state.claim) } catch {
                        log.error("\(error)")
                        lacksClients = true
                    }
                }
            }
        }
    }

    /// What failed is tried again after so many milliseconds.
    private static let leasePause = 1000

    private static func key(_ attachment: Attachment, _ family: Lease.Family, of claim: ClaimIdentity) -> LeaseKey {
        LeaseKey(claim: claim.uid, device: attachment.device, namespace: attachment.namespace, family: family)
    }

    private func startClient(_ attachment: Attachment, _ family: Lease.Family, of claim: ClaimIdentity) throws(InjectionError) {
        let key = Self.key(attachment, family, of: claim)
        guard !clients.isRunning(key), let name = attachment.podName,
            let namespace = held[attachment.namespace] ?? Self.namespace(of: attachment)
        else { return }
        if let lacking = Self.lackingCapabilities(family) {
            throw InjectionError(
                "claim \(claim): \(family.protocolName) on \(attachment.label) needs \(lacking), which nearside-nri has not; add them to its container, or give the claim addresses"
            )
        }
        do {
            try Files.makeFolder(journal.leases, mode: 0o700)
            if leaseChanges == nil { leaseChanges = try FolderChanges(journal.leases) }
            try clients.start(
                .init(
                    key: key, interface: name, namespace: namespace,
                    file: try journal.leaseFile(key), address: attachment.leasedAddress(family)?.address))
        } catch { throw InjectionError("claim \(claim): \(family.protocolName) on \(attachment.label): \(error)") }
    }

    /// What a client needs and we have not; nil when nothing is lacking. One of DHCPv6 has an address to send from, and no need of raw packets.
    private static func lackingCapabilities(_ family: Lease.Family) -> String? {
        // CAP_NET_BIND_SERVICE and CAP_NET_RAW (linux/capability.h).
        let (bind, raw): (UInt64, UInt64) = (1 << 10, 1 << 13)
        switch family {
        case .v4: return capabilities & bind != 0 && capabilities & raw != 0 ? nil : "the capabilities NET_RAW and NET_BIND_SERVICE"
        case .v6: return capabilities & bind != 0 ? nil : "the capability NET_BIND_SERVICE"
        }
    }

    private static let capabilities: UInt64 = {
        let status = (try? Files.readText("/proc/self/status")) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("CapEff:") }
        return line.flatMap { UInt64($0.dropFirst(7).drop { $0 == "\t" || $0 == " " }, radix: 16) } ?? 0
    }()

    /// What the claim still waits for in this namespace, as a sentence; nil when the pod can start.
    func awaited(_ claim: ClaimIdentity, in identity: FileIdentity) throws(InjectionError) -> String? {
        let here = (try readState(claim.uid)?.attachments ?? []).filter { $0.namespace == identity }
        return here.awaitedLeases.map { "claim \(claim): \($0)" }
    }

    // MARK: For the daemon

    /// What to wait for: leases that come, and clients that end.
    package var leaseDescriptors: [Descriptor] { clients.isEmpty ? [] : (leaseChanges.map { [$0.descriptor] } ?? []) + clients.descriptors }

    /// Gives interfaces what servers gave them, takes off what has run out, and starts clients anew that have ended. Returns when it has to
    /// be called again, nil for when something can be read.
    package func tendLeases() -> Int? {
        if lacksClients { resumeClients() }
        let again = Poller.now() + Self.leasePause
        guard !clients.isEmpty else { return lacksClients ? again : nil }
        if let leaseChanges, (try? leaseChanges.next()) == nil { self.leaseChanges = try? FolderChanges(journal.leases) }
        var due = lacksClients ? again : nil
        for state in states.all where state.attachments.contains(where: { !$0.leaseFamilies.isEmpty && $0.phase == .attached }) {
            do throws(InjectionError) {
                if let end = try takeLeases(state) { due = min(due ?? .max, end) }
            } catch {
                log.error("cannot use a lease", metadata: ["claim": "\(state.claim)", "error": "\(error)"])
                due = min(due ?? .max, again)
            }
        }
        return [due, clients.tend()].compactMap { $0 }.min()
    }

    /// - Returns: when the first of the claim's leases runs out.
    private func takeLeases(_ before: ClaimState) throws(InjectionError) -> Int? {
        guard let plan = plans.plan(before.claim.uid) else { return nil }
        var state = before
        var due: Int?
        var latest = taken
        let asked = state.attachments.enumerated().filter { $0.element.phase == .attached }.flatMap { index, attachment in
            attachment.leaseFamilies.map { (index, Self.key(attachment, $0, of: state.claim)) }
        }
        for (index, key) in asked {
            let attachment = state.attachments[index]
            guard var lease = journal.lease(key), let interface = plan.devices.first(where: { $0.device == attachment.device })?.interface,
                let podIndex = attachment.podIndex,
                let namespace = held[attachment.namespace] ?? Self.namespace(of: attachment)
            else { continue }
            // Its server is gone, or it ran out while nobody was here.
            if lease.hasEnded(at: Poller.now()) { lease.address = nil }
            if lease.address != nil, let end = lease.end { due = min(due ?? .max, end) }
            // A renewed one has the same address, and another time.
            guard taken[key] != lease else { continue }
            let old = attachment.leasedAddress(key.family)
            do throws(PodNetworkError) {
                try network.apply(lease, replacing: old, interface, index: podIndex, in: namespace)
            } catch { throw InjectionError("claim \(state.claim): \(error)") }
            latest[key] = lease
            state.attachments[index].addresses.removeAll { $0 == old }
            state.attachments[index].addresses += lease.address.map { [$0] } ?? []
            state.attachments[index][key.family] = lease.address == nil ? .awaited : .bound
        }
        // What could not be written down counts as not taken: it is tried again.
        if state != before { try write(state) }
        taken = latest
        guard state != before else { return due }
        log.info(
            "leases", metadata: ["claim": "\(state.claim)", "addresses": "\(state.attachments.flatMap(\.addresses).map(\.description))"])
        return due
    }

    /// Addresses go back to their servers before the interfaces leave the pod. Returns what could not be forgotten, by device.
    func releaseLeases(_ attachments: [Attachment], of claim: ClaimIdentity) -> [String: PodNetworkError] {
        let leased = attachments.flatMap { attachment in
            attachment.leaseFamilies.map { (attachment, Self.key(attachment, $0, of: claim)) }
        }
        guard !leased.isEmpty else { return [:] }
        clients.stop(leased.map(\.1))
        var refusals: [String: PodNetworkError] = [:]
        for (attachment, key) in leased {
            taken[key] = nil
            do throws(SystemError) { try journal.removeLease(key) } catch {
                refusals[attachment.device] = PodNetworkError(attachment.label, "forget its lease", error)
            }
        }
        return refusals
    }
}
