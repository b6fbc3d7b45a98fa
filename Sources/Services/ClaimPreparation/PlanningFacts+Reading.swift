// SPDX-License-Identifier: Apache-2.0

import ClaimPlanning
import Hardware
import Logging
import Netlink
import NetworkModel

extension PlanningFacts {
    /// Reads the facts of the host on which the plan of a claim depends. Blocks.
    ///
    /// - Parameters:
    ///   - claimed: devices of the claim, by their names in slices.
    ///   - readsFeatures: true if the claim changes features or private flags of interfaces.
    static func read(
        _ claimed: [String: Device], vendorSpecFolders: [String], readsFeatures: Bool, log: Logger
    ) -> PlanningFacts {
        PlanningFacts(
            vendorNames: VendorSpecs(folders: vendorSpecFolders).names(for: claimed),
            interfaces: readsFeatures ? facts(of: claimed.values.flatMap(\.netdevs), log) : [:], movesRDMA: isRDMAExclusive)
    }

    /// True if an RDMA device is visible in one network namespace only. Read for each claim, with two system calls, because the RDMA
    /// modules can be loaded later. The mode cannot change while a pod runs.
    static var isRDMAExclusive: Bool { (try? RDMANetlink().sharing()) == .exclusive }

    /// Features and private flags of interfaces on the host. Interfaces in pods were checked before their attach.
    private static func facts(of netdevs: [Netdev], _ log: Logger) -> [String: InterfaceFacts] {
        do throws(NetlinkError) {
            guard let ethtool = try Ethtool() else { return [:] }
            let socket = try NetlinkSocket()
            var facts: [String: InterfaceFacts] = [:]
            for netdev in netdevs {
                guard let link = try socket.link(named: netdev.name) else { continue }
                facts[netdev.name] = InterfaceFacts(
                    features: try ethtool.names(.features, of: link.index).map { Set($0.keys) },
                    privateFlags: Set((try ethtool.names(.privateFlags, of: link.index) ?? [:]).keys))
            }
            return facts
        } catch {
            log.warning("features of interfaces not read", metadata: ["error": "\(error)"])
            return [:]
        }
    }
}
