// SPDX-License-Identifier: Apache-2.0

import NetworkModel

/// Limits of states and of reports of late pods. The size of the file bounds most of a state, which is the kernel's description of the
/// host.
enum StateLimits {
    /// The limit of a file in bytes: an interface may have some 25,000 configured routes.
    static let size = 4 << 20
    static let attachments = 8192
    static let path = 4096
    /// The limit of an interface's name as text: each of its 15 bytes may become the three bytes of U+FFFD.
    static let interface = 45
    static let problem = 64 << 10
}

extension ClaimState: JournalValue {
    package static let sizeLimit = StateLimits.size
    package var fileUID: String { claim.uid }

    package var features: Set<JournalFeature> {
        attachments.reduce(into: sharedRDMADevices == nil ? [] : [.sharedRDMA]) { $0.formUnion($1.features) }
    }

    /// The violations of a state's limits. Pure.
    package var problems: [JournalProblem] {
        var checks = JournalChecks()
        claim.check(&checks, "claim")
        checks.expect(boot.isEmpty || JournalNames.isUID(boot), .name, "boot", "is not a boot id")
        checks.count(attachments.count, StateLimits.attachments, "attachments")
        for (index, attachment) in attachments.enumerated() { attachment.check(&checks, "attachments[\(index)]") }
        checks.count(sharedRDMADevices?.count ?? 0, StateLimits.attachments, "sharedRDMADevices")
        for (index, device) in (sharedRDMADevices ?? []).enumerated() {
            checks.plain(device.device, 63, "sharedRDMADevices[\(index)].device")
            checks.plain(device.name, 63, "sharedRDMADevices[\(index)].name")
        }
        return checks.problems
    }
}

extension Attachment {
    fileprivate var features: Set<JournalFeature> {
        let used: [(JournalFeature, Bool)] = [
            (.dhcp, self[.v4] != nil), (.dhcp6, self[.v6] != nil), (.vrf, vrf != nil), (.virtualFunction, virtualFunction != nil),
            (.rdmaDevice, rdmaDevice != nil), (.softwareRDMA, host?.softwareRDMA != nil), (.ownFunctions, host?.functions != nil),
            (.queueing, host?.queueing.isEmpty == false),
            (.rules, host?.rules.isEmpty == false), (.neighbours, host?.neighbours.isEmpty == false),
            (.driverSettings, host?.hasDriverSettings == true), (.sysfsSettings, host?.sysfs != nil),
        ]
        return Set(used.filter(\.1).map(\.0))
    }

    fileprivate func check(_ checks: inout JournalChecks, _ path: String) {
        checks.plain(device, 63, "\(path).device")
        // Empty for a pod without a known UID.
        checks.expect(podUID.isEmpty || JournalNames.isUID(podUID), .name, "\(path).podUID", "is not a UID")
        checks.text(sandbox, StateLimits.path, "\(path).sandbox")
        let isPath = namespacePath.hasPrefix("/") && !namespacePath.split(separator: "/").contains("..")
        checks.expect(isPath, .name, "\(path).namespacePath", "is not an absolute path")
        checks.text(namespacePath, StateLimits.path, "\(path).namespacePath")
        if let podName { checks.hostInterface(podName, "\(path).podName") }
        if let vrf { checks.hostInterface(vrf, "\(path).vrf") }
        if let podIndex { checks.expect(podIndex > 0, .range, "\(path).podIndex", "is \(podIndex)") }
        checks.plain(rdmaDevice, 63, "\(path).rdmaDevice")
        checks.hardwareAddress(hardwareAddress, "\(path).hardwareAddress")
        checks.expect((problem?.utf8.count ?? 0) <= StateLimits.problem, .length, "\(path).problem", "is too long")
        if let function = virtualFunction {
            checks.kernelName(function.parent, "\(path).virtualFunction.parent")
            checks.expect(function.number <= 0xffff, .range, "\(path).virtualFunction.number", "is \(function.number)")
        }
        host?.check(&checks, "\(path).host")
    }
}

extension HostRecord {
    fileprivate func check(_ checks: inout JournalChecks, _ path: String) {
        checks.kernelName(name, "\(path).name")
        checks.expect(index > 0, .range, "\(path).index", "is \(index)")
        for (field, address) in [("hardwareAddress", hardwareAddress), ("permanentAddress", permanentAddress)] {
            checks.hardwareAddress(address, "\(path).\(field)")
        }
        checks.plain(softwareRDMA?.name, 63, "\(path).softwareRDMA.name")
        checks.plain(softwareRDMA?.node, 63, "\(path).softwareRDMA.node")
        for table in neighbourSettings.map(\.table) { checks.plain(table, 16, "\(path).neighbourSettings") }
        checks.expect((recordedAt ?? 0) >= 0, .range, "\(path).recordedAt", "is negative")
        for parameter in parameters ?? [] {
            checks.expect(parameter.value.count <= 1024, .length, "\(path).parameters", "has a value of \(parameter.value.count) bytes")
        }
        driverSettings?.check(&checks, "\(path).driverSettings")
        sysfs?.check(&checks, "\(path).sysfs")
    }

    fileprivate var hasDriverSettings: Bool {
        driverSettings != nil || parameters?.contains { $0.list >= DriverParameter.firstNewerList } == true
    }
}

extension DriverSettings {
    fileprivate func check(_ checks: inout JournalChecks, _ path: String) {
        checks.count(rules?.count, Limit.rules, "\(path).rules")
        for rule in rules ?? [] {
            let size = rule.specification.bytes.count
            checks.expect(size == FlowRule.size, .length, "\(path).rules", "has a rule of \(size) bytes")
        }
        checks.count(contexts?.count, Int(Limit.contexts) + 1, "\(path).contexts")
        for context in contexts ?? [] {
            checks.expect(context.isWhole, .length, "\(path).contexts", "has a table or key whose size differs from the stated one")
        }
        checks.count(hashFields.count, 64, "\(path).hashFields")
        checks.expect((timestamping?.bytes.count ?? 12) == 12, .length, "\(path).timestamping", "does not have 12 bytes")
    }
}

extension SysfsSettings {
    fileprivate func check(_ checks: inout JournalChecks, _ path: String) {
        checks.expect(bytes <= Limit.bytes, .length, "\(path).entries", "have \(bytes) bytes of values")
        for entry in entries {
            let hasQueues =
                (0..<Limit.queues).contains(entry.queue) && (1...Limit.queues).contains(entry.count)
                && entry.queue + entry.count <= Limit.queues
            checks.expect(hasQueues, .range, "\(path).entries", "has \(entry.count) queues from \(entry.queue) on")
            checks.expect(Self.isValue(entry.value), .name, "\(path).entries", "has a value that is not a number")
        }
        // The number of values is bounded by the number of files.
        let queues = entries.reduce(0) { $0 + min(max($1.count, 0), Limit.queues) }
        checks.count(queues, File.allCases.count * Limit.queues, "\(path).entries")
    }
}

extension JournalChecks {
    /// Checks a name from the kernel, which need not be valid text.
    fileprivate mutating func kernelName(_ name: String, _ path: String) {
        let isName =
            (1...StateLimits.interface).contains(name.utf8.count) && name != "." && name != ".."
            && name.utf8.allSatisfy { $0 > 0x20 && $0 != UInt8(ascii: "/") }
        expect(isName, .name, path, "is not a name of an interface")
    }
}

extension LatePod: JournalValue {
    package static let sizeLimit = 1 << 20
    package var fileUID: String { uid }
    package var features: Set<JournalFeature> { [] }

    package var problems: [JournalProblem] {
        var checks = JournalChecks()
        ClaimIdentity(namespace: namespace, name: name, uid: uid).check(&checks, "pod")
        checks.count(claims.count, 256, "claims")
        for (index, claim) in claims.enumerated() { claim.check(&checks, "claims[\(index)]") }
        checks.expect((problem?.utf8.count ?? 0) <= StateLimits.problem, .length, "problem", "is too long")
        return checks.problems
    }
}
