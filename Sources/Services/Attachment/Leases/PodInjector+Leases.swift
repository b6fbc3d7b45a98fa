// SPDX-License-Identifier: Apache-2.0

import Journal
import JournalModel
package import Linux
import Logging
import NetworkModel
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
        guard !clients.isRunning(key), let index = attachment.podIndex,
            let namespace = held[attachment.namespace] ?? Self.namespace(of: attachment)
        else { return }
        let missing = Self.missingCapabilities(family)
        guard missing.isEmpty else {
            throw InjectionError(
                "claim \(claim): \(family.protocolName) on \(attachment.label) needs the capabilities \(missing.joined(separator: ", ")), which nearside-nri has not; add them to its container, or give the claim addresses"
            )
        }
        let network = network
        let former = attachment.leasedAddress(family)?.address
        let server = journal.lease(key).flatMap { $0.address?.address == former ? $0.server : nil }
        do throws(InjectionError) {
            try clients.start(
                .init(
                    key: key, label: attachment.label, namespace: namespace, address: former, server: server,
                    open: { () throws(PodNetworkError) in try network.leaseSockets(family, of: index, in: namespace) }, index: index))
        } catch { throw InjectionError("claim \(claim): \(error)") }
    }

    /// Capabilities that starting a client needs and nearside-nri lacks: NET_RAW and NET_BIND_SERVICE to open its sockets, SETUID, SETGID and SETPCAP to
    /// take its privileges, KILL to end it as it is another user's.
    private static func missingCapabilities(_ family: Lease.Family) -> [String] {
        // Numbers of linux/capability.h.
        var needed = [(5, "KILL"), (6, "SETGID"), (7, "SETUID"), (8, "SETPCAP"), (10, "NET_BIND_SERVICE")]
        if family == .v4 { needed.append((13, "NET_RAW")) }
        return needed.filter { capabilities & (1 << UInt64($0.0)) == 0 }.map(\.1)
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
    package var leaseDescriptors: [Descriptor] { clients.descriptors }

    /// Gives interfaces what servers gave them, takes off what has run out, and starts clients anew that have ended. Returns when it has to
    /// be called again, nil for when something can be read.
    package func tendLeases() -> Int? {
        if lacksClients { resumeClients() }
        let again = Poller.now() + Self.leasePause
        guard !clients.isEmpty else { return lacksClients ? again : nil }
        var due = lacksClients ? again : nil
        let (reported, nextStart) = clients.tend()
        unwritten.merge(reported) { $1 }
        for (key, lease) in unwritten {
            do throws(JournalError) {
                try journal.write(lease, key)
                unwritten[key] = nil
            } catch {
                log.error("cannot write a lease down", metadata: ["claim": "\(key.claim)", "error": "\(error)"])
                due = min(due ?? .max, again)
            }
        }
        for state in states.all where state.attachments.contains(where: { !$0.leaseFamilies.isEmpty && $0.phase == .attached }) {
            do throws(InjectionError) {
                if let end = try takeLeases(state) { due = min(due ?? .max, end) }
            } catch {
                log.error("cannot use a lease", metadata: ["claim": "\(state.claim)", "error": "\(error)"])
                due = min(due ?? .max, again)
            }
        }
        return [due, nextStart].compactMap { $0 }.min()
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
            let reported = lease
            do throws(PodNetworkError) {
                let refused = try network.apply(
                    &lease, replacing: old, interface, index: podIndex, in: namespace, reserved: leaseOptions.clusterNetworks)
                if !refused.isEmpty {
                    log.warning(
                        "what a DHCP server gave was left out",
                        metadata: [
                            "claim": "\(state.claim)", "interface": "\(attachment.label)", "refused": "\(refused.joined(separator: "; "))",
                        ])
                }
            } catch { throw InjectionError("claim \(state.claim): \(error)") }
            latest[key] = reported
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

    /// Ends the clients of all those attachments together, so that the runtime does not wait for one after the other.
    func stopClients(_ isMeant: (Attachment) -> Bool) {
        clients.stop(
            states.all.flatMap { state in
                state.attachments.filter(isMeant).flatMap { attachment in
                    attachment.leaseFamilies.map { Self.key(attachment, $0, of: state.claim) }
                }
            })
    }

    /// Addresses go back to their servers before the interfaces leave the pod. Returns what could not be forgotten, by device.
    func releaseLeases(_ attachments: [Attachment], of claim: ClaimIdentity) -> [String: PodNetworkError] {
        let leased = attachments.flatMap { attachment in
            attachment.leaseFamilies.map { (attachment, Self.key(attachment, $0, of: claim)) }
        }
        guard !leased.isEmpty else { return [:] }
        clients.stop(leased.map(\.1))
        for (_, key) in leased { unwritten[key] = nil }
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
