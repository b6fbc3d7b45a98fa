// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
package import Linux

/// The journal on disk: where the two daemons meet.
///
///     plans/CLAIM-UID.json    written by nearside-node
///     states/CLAIM-UID.json   written by nearside-nri, each with a copy beside it (.json.copy)
///     workloads/CLAIM-UID...  written by nearside-node, for the claim's containers to read
///     leases/CLAIM-UID_DEVICE_NETNS[_v6]
///                             written by the DHCP clients of nearside-nri, for nearside-nri to read
///     late/POD-UID.json       written by nearside-nri
///     nri.sock                served by nearside-nri
///     node.sock               served by nearside-node
///     machine.json            written and read by nearside-node alone: the devices as last published
///     cluster.json            likewise: what the cluster was found to lack
///
/// Each file has one writer and is replaced as a whole, so neither daemon ever waits for the other,
/// and a reader sees all of a change or nothing of it.
package struct JournalFolder: Sendable {
    package let path: String

    package init(_ path: String) { self.path = path }

    package var socket: String { "\(path)/nri.sock" }
    package var nodeSocket: String { "\(path)/node.sock" }
    package var machine: String { "\(path)/machine.json" }
    package var cluster: String { "\(path)/cluster.json" }

    /// Makes the folders. They hold what the host looked like: for root alone.
    package func make() throws(SystemError) {
        for kind in [Kind.plans, .states, .late] { try Files.makeFolder("\(path)/\(kind.rawValue)", mode: 0o700) }
    }

    private enum Kind: String {
        case plans, states, late
    }

    /// Where plans are, for those who wait for new ones.
    package var plansFolder: String { "\(path)/\(Kind.plans.rawValue)" }

    /// The claim of a file of plans or states; nil for what is none, such as a file that is being written.
    package static func uid(ofFile name: String) -> String? {
        name.hasSuffix(".json") && !name.hasPrefix(".") ? String(name.dropLast(5)) : nil
    }

    /// The same, also of one that was set aside.
    package static func uid(ofChanged name: String) -> String? {
        uid(ofFile: name.hasSuffix(aside) ? String(name.dropLast(aside.count)) : name)
    }

    private func file(_ kind: Kind, _ uid: String) -> String {
        "\(path)/\(kind.rawValue)/\(uid).json"
    }

    // MARK: Plans

    package func plan(_ uid: String) throws(JournalError) -> ClaimPlan? {
        try read(.plans, uid)
    }

    package func plans() -> (plans: [ClaimPlan], damaged: [JournalError]) {
        readAll(.plans)
    }

    /// In place of what was set aside of it.
    package func write(_ plan: ClaimPlan) throws(JournalError) {
        try write(plan, .plans, plan.claim.uid, isDurable: true)
        try? Files.remove(file(.plans, plan.claim.uid) + Self.aside)
    }

    /// And what was set aside of it.
    package func removePlan(_ uid: String) throws(JournalError) {
        try remove(.plans, uid)
        try? Files.remove(file(.plans, uid) + Self.aside)
    }

    /// True for a plan that was set aside as damaged, and that nobody has written anew or given up since.
    package func isDamaged(_ uid: String) -> Bool { Files.exists(file(.plans, uid) + Self.aside) }

    /// The claims of all those.
    package func damagedPlans() -> [String] {
        Files.list(plansFolder).filter { $0.hasSuffix(Self.aside) }.compactMap(Self.uid(ofChanged:))
    }

    private static let aside = ".damaged"

    // MARK: States

    package func state(_ uid: String) throws(JournalError) -> ClaimState? {
        let state: ClaimState?
        do throws(JournalError) { state = try read(.states, uid) ?? copy(uid) } catch {
            guard let copy = copy(uid) else { throw error }
            state = copy
        }
        return state.flatMap { $0.boot == Boot.current ? $0 : nil }
    }

    /// True when something of the claim may have left the host, even if what is written of it cannot be read.
    package func hasState(_ uid: String) -> Bool {
        (try? checkedFile(.states, uid)).map { Files.exists($0) || Files.exists($0 + Self.copySuffix) } ?? false
    }

    /// Those of this run of the kernel: of an earlier one there is neither a namespace nor a changed interface left. A file that is
    /// damaged, or that somebody took away, is made up for by its copy.
    package func states() -> (states: [ClaimState], damaged: [JournalError]) {
        let (states, damaged) = statesOfAllBoots()
        return (states.filter { $0.boot == Boot.current }, damaged)
    }

    private func statesOfAllBoots() -> (states: [ClaimState], damaged: [JournalError]) {
        var (states, damaged): ([ClaimState], [JournalError]) = readAll(.states)
        let known = Set(states.map(\.claim.uid))
        for name in Files.list("\(path)/\(Kind.states.rawValue)") where name.hasSuffix(Self.copySuffix) {
            guard let uid = Self.uid(ofFile: String(name.dropLast(Self.copySuffix.count))), !known.contains(uid) else { continue }
            if let state = copy(uid) { states.append(state) }
        }
        return (states, damaged)
    }

    /// What they tell of ended with that run of the kernel.
    package func removeStatesOfEarlierBoots() {
        for state in statesOfAllBoots().states where state.boot != Boot.current { try? removeState(state.claim.uid) }
    }

    /// Not flushed to a disk: what it tells of does not outlive the kernel's run either. Written twice, since nothing else tells what the
    /// host was like; where there is no room for the copy, there is none.
    package func write(_ state: ClaimState) throws(JournalError) {
        let file = try write(state, .states, state.claim.uid, isDurable: false)
        try? Files.replace(file.path + Self.copySuffix, with: file.bytes, mode: 0o600, isDurable: false)
    }

    /// Writes anew those that only a copy tells of. For the program that writes states.
    package func mend(_ states: [ClaimState]) {
        for state in states { if let file = try? checkedFile(.states, state.claim.uid), !Files.exists(file) { try? write(state) } }
    }

    /// The copy first: alone it would tell of what is over.
    package func removeState(_ uid: String) throws(JournalError) {
        let copy = try checkedFile(.states, uid) + Self.copySuffix
        do throws(SystemError) { try Files.remove(copy) } catch { throw JournalError(copy, "\(error)") }
        try remove(.states, uid)
    }

    /// Nil when there is none that can be used.
    private func copy(_ uid: String) -> ClaimState? {
        guard let file = try? checkedFile(.states, uid), let bytes = try? Files.read(file + Self.copySuffix) else { return nil }
        return (try? JSONDecoder().decode(Content<ClaimState>.self, from: Data(bytes)))?.value
    }

    private static let copySuffix = ".copy"

    // MARK: Workloads

    /// Files that containers of a claim get to read.
    package var workloads: String { "\(path)/workloads" }

    /// The name of such a file: what NCCL is told, or what is told of the devices of a request.
    package static func workload(_ uid: String, request: String? = nil) -> String { request.map { "\(uid)_\($0).json" } ?? "\(uid).xml" }

    package func writeWorkload(_ text: String, _ uid: String, request: String? = nil) throws(JournalError) {
        for part in [uid] + (request.map { [$0] } ?? []) { _ = try checkedFile(.plans, part) }
        let file = "\(workloads)/\(Self.workload(uid, request: request))"
        do throws(SystemError) {
            try Files.makeFolder(workloads)
            try Files.replace(file, with: [UInt8](text.utf8), isDurable: false)
        } catch { throw JournalError(file, "cannot be written: \(error)") }
    }

    package func removeWorkloads(_ uid: String) throws(JournalError) {
        for name in Files.list(workloads) where name == Self.workload(uid) || name.hasPrefix("\(uid)_") {
            do throws(SystemError) { try Files.remove("\(workloads)/\(name)") } catch {
                throw JournalError("\(workloads)/\(name)", "\(error)")
            }
        }
    }

    // MARK: Pods that slipped through

    package var latePodsFolder: String { "\(path)/\(Kind.late.rawValue)" }

    package func latePods() -> (pods: [LatePod], damaged: [JournalError]) { readAll(.late) }

    package func write(_ pod: LatePod) throws(JournalError) { try write(pod, .late, pod.uid, isDurable: false) }

    package func removeLatePod(_ uid: String) { try? remove(.late, uid) }

    // MARK: Leases

    package var leases: String { "\(path)/leases" }

    /// Where the DHCP client of an interface writes what it was given. The namespace is one that is there: its number is no other's.
    package func leaseFile(_ key: LeaseKey) throws(JournalError) -> String {
        for part in [key.claim, key.device] { _ = try checkedFile(.states, part) }
        return "\(leases)/\(key.claim)_\(key.device)_\(key.namespace.inode)\(key.family == .v4 ? "" : "_v6")"
    }

    /// What a client keeps for itself beside the file it writes for us, and what that was when it had a lease: a client writes its own anew
    /// whenever it starts, and one that is killed then leaves half of it.
    package static func clientFile(_ leaseFile: String) -> String { leaseFile + ".client" }
    package static func boundClientFile(_ leaseFile: String) -> String { leaseFile + ".bound" }

    /// Nil before the first one.
    package func lease(_ key: LeaseKey) -> Lease? {
        (try? leaseFile(key)).flatMap { try? Files.readText($0) }.flatMap { Lease(text: $0, family: key.family) }
    }

    /// Fine when there is none.
    package func removeLease(_ key: LeaseKey) throws(SystemError) {
        guard let file = try? leaseFile(key) else { return }
        for name in [file, Self.clientFile(file), Self.boundClientFile(file)] { try Files.remove(name) }
    }

    // MARK: Files

    /// What is in a file; nil when another version of this program wrote it.
    private struct Content<Value: Versioned>: Decodable {
        private enum Key: String, CodingKey { case version }

        var version: Int
        var value: Value?

        init(from decoder: any Decoder) throws {
            version = try decoder.container(keyedBy: Key.self).decode(Int.self, forKey: .version)
            value = version == Value.currentVersion ? try Value(from: decoder) : nil
        }
    }

    /// Nil when there is no such file. A damaged one is set aside under another name, so that it is
    /// reported once, is kept for a person, and never stops anything twice.
    private func read<Value: Versioned>(_ kind: Kind, _ uid: String) throws(JournalError) -> Value? {
        let file = try checkedFile(kind, uid)
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try Files.read(file) } catch {
            if error.isNotFound { return nil }
            throw JournalError(file, "\(error)")
        }
        do {
            let content = try JSONDecoder().decode(Content<Value>.self, from: Data(bytes))
            guard let value = content.value else {
                throw JournalError(file, "has version \(content.version); this program knows version \(Value.currentVersion)")
            }
            return value
        } catch let error as JournalError {
            // A newer program wrote it and may come back: it stays where it is.
            throw error
        } catch {
            let aside = file + Self.aside
            try? Files.replace(aside, with: bytes, mode: 0o600)
            try? Files.remove(file)
            throw JournalError(file, "is damaged and was set aside as \(aside): \(error)")
        }
    }

    private func readAll<Value: Versioned>(_ kind: Kind) -> ([Value], [JournalError]) {
        var values: [Value] = []
        var damaged: [JournalError] = []
        for uid in Files.list("\(path)/\(kind.rawValue)").compactMap(Self.uid(ofFile:)) {
            do throws(JournalError) {
                if let value: Value = try read(kind, uid) { values.append(value) }
            } catch { damaged.append(error) }
        }
        return (values, damaged)
    }

    @discardableResult
    private func write(
        _ value: some Encodable, _ kind: Kind, _ uid: String, isDurable: Bool
    ) throws(JournalError) -> (path: String, bytes: [UInt8]) {
        let file = try checkedFile(kind, uid)
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            let bytes = [UInt8](try encoder.encode(value))
            try Files.replace(file, with: bytes, mode: 0o600, isDurable: isDurable)
            return (file, bytes)
        } catch { throw JournalError(file, "cannot be written: \(error)") }
    }

    private func remove(_ kind: Kind, _ uid: String) throws(JournalError) {
        let file = try checkedFile(kind, uid)
        do throws(SystemError) { try Files.remove(file) } catch { throw JournalError(file, "\(error)") }
    }

    /// UIDs come from outside and become file names.
    private func checkedFile(_ kind: Kind, _ uid: String) throws(JournalError) -> String {
        let isPlain = uid.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte) || byte == 0x2d
        }
        guard isPlain, (1...128).contains(uid.utf8.count) else {
            throw JournalError(path, "takes no claim with the UID \"\(uid.prefix(128))\"")
        }
        return file(kind, uid)
    }
}

/// What files of the journal hold says in which version.
private protocol Versioned: Decodable {
    static var currentVersion: Int { get }
}

extension ClaimPlan: Versioned {}
extension ClaimState: Versioned {}
extension LatePod: Versioned {}

/// A file of the journal that cannot be used: which, and why.
package struct JournalError: Error, Hashable, Sendable, CustomStringConvertible {
    package var file: String
    package var text: String

    package init(_ file: String, _ text: String) {
        self.file = file
        self.text = text
    }

    package var description: String { "\(file) \(text)" }
}
