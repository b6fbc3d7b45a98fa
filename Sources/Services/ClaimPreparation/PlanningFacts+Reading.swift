// SPDX-License-Identifier: Apache-2.0

import ClaimPlanning
import Hardware
import Logging
import Netlink
import NetworkModel

extension PlanningFacts {
    /// Reads the facts of the host that the plan of a claim depends on. Blocks.
    ///
    /// - Parameters:
    ///   - claimed: devices of the claim, by their name in slices.
    ///   - readsFeatures: true when the claim changes features or private flags of interfaces.
    static func read(
        _ claimed: [String: Device], vendorSpecFolders: [String], readsFeatures: Bool, log: Logger
    ) -> PlanningFacts {
        PlanningFacts(
            vendorNames: VendorSpecs(folders: vendorSpecFolders).names(for: claimed),
            interfaces: readsFeatures ? facts(of: claimed.values.flatMap(\.netdevs), log) : [:], movesRDMA: isRDMAExclusive)
    }

    /// True when an RDMA device is visible in one network namespace only. It is read each time, which takes two system calls: RDMA can be
    /// loaded while this program runs. It cannot change while a pod runs.
    static var isRDMAExclusive: Bool { (try? RDMANetlink().sharing()) == .exclusive }

    /// Features and private flags of interfaces that are on the host. Others are in pods, and were checked before.
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
