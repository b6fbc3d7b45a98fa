// SPDX-License-Identifier: Apache-2.0

import Glibc
import JournalModel
package import Linux
import Netlink
import NetworkModel

extension PodNetwork {
    /// Moves devices from any namespace to the host, and restores their configuration. Idempotent.
    ///
    /// - Parameters:
    ///   - namespace: the pod's namespace; nil if it has ended: then the kernel has returned hardware to the host, under its name in the
    ///     pod.
    ///   - waits: false to return pending errors (``PodNetworkError/isPending``) instead of waiting.
    /// - Returns: the first problem of each device that is not restored.
    package func restore(_ requests: [RestoreRequest], from namespace: NetworkNamespace?, waits: Bool = true) -> [(
        device: String, error: PodNetworkError
    )] {
        // First by the physical functions: some drivers refuse any other address while the physical function sets one, and some report
        // the virtual function's own change to the physical one.
        _ = restoreFunctions(requests)
        var problems = restoreDevices(requests, from: namespace, waits: waits)
        for (device, error) in restoreFunctions(requests) { problems.add(error, to: device) }
        return problems.byDevice.map { ($0.key, $0.value) }
    }

    /// Restores devices, except settings of virtual functions that belong to physical functions.
    func restoreDevices(_ requests: [RestoreRequest], from namespace: NetworkNamespace?, waits: Bool) -> DeviceProblems {
        let taken = takeBack(requests, from: namespace)
        var requests = requests
        for index in requests.indices {
            // The pod can have changed the address, which identifies the interface on the host.
            requests[index].hardwareAddress = taken.addresses[requests[index].device] ?? requests[index].hardwareAddress
        }
        var problems = DeviceProblems()
        do throws(PodNetworkError) {
            var restorer = HostRestorer(host: host, sysctls: sysctls, moved: taken.moved, waits: waits)
            // The reason why a device has not left the pod is more precise than its absence on the host.
            for (device, error) in try restorer.restore(requests) { problems.add(taken.refusals[device] ?? error, to: device) }
        } catch { for request in requests { problems.add(error, to: request.device) } }
        for request in requests where problems.byDevice[request.device] == nil {
            if let error = leftover(request, taken.refusals[request.device]) { problems.add(error, to: request.device) }
        }
        return problems
    }

    /// The remaining problem of a device whose configuration is restored.
    private func leftover(_ request: RestoreRequest, _ refusal: PodNetworkError?) -> PodNetworkError? {
        // The kernel ends the contexts of an RDMA device that moves.
        if let shared = request.sharedRDMA {
            do throws(PodNetworkError) {
                if let error = try host.holders(of: shared) { return error }
            } catch { return error }
        }
        // An interface without a record was created for the pod: it has ended, unless the kernel refused to delete it.
        return request.record == nil ? refusal : nil
    }

    /// Restores the settings of virtual functions through their physical functions.
    ///
    /// - Returns: the refusals, by device.
    private func restoreFunctions(_ requests: [RestoreRequest]) -> [String: PodNetworkError] {
        var refusals = DeviceProblems()
        for request in requests {
            guard let function = request.virtualFunction else { continue }
            do throws(PodNetworkError) { try host.restore(function) } catch { refusals.add(error, to: request.device) }
        }
        return refusals.byDevice
    }

    // MARK: From the pod

    /// The outcome of moving devices out of a pod, by device.
    private struct Taken {
        var refusals: [String: PodNetworkError] = [:]
        /// Hardware addresses of all moved interfaces in the pod.
        var addresses: [String: HardwareAddress] = [:]

        var moved: Set<String> { Set(addresses.keys).subtracting(refusals.keys) }
    }

    private func takeBack(_ requests: [RestoreRequest], from namespace: NetworkNamespace?) -> Taken {
        guard let namespace else { return Taken() }
        do throws(PodNetworkError) {
            return try inside(namespace) { (pod) throws(PodNetworkError) in
                var taken = Taken()
                // RDMA devices move first, so that they receive the events of their interfaces.
                try takeBackRDMADevices(requests, &taken)
                if requests.contains(where: { $0.podName != nil }) { try takeBackInterfaces(requests, pod, &taken) }
                return taken
            }
        } catch { return Taken(refusals: Dictionary(requests.map { ($0.device, error) }, uniquingKeysWith: { first, _ in first })) }
    }

    private func takeBackRDMADevices(_ requests: [RestoreRequest], _ taken: inout Taken) throws(PodNetworkError) {
        guard requests.contains(where: { $0.rdmaDevice != nil }) else { return }
        let (rdma, devices) = try HostNetwork.step("pod", "list RDMA devices") { () throws(NetlinkError) in
            let rdma = try RDMANetlink()
            return (rdma, try rdma.devices())
        }
        for request in requests {
            // A software RDMA device cannot move before its interface, and ends when the interface moves.
            guard let name = request.rdmaDevice, request.record?.softwareRDMA == nil, let index = devices[name] else { continue }
            do throws(NetlinkError) { try rdma.move(index, named: name, to: host.namespace.descriptor.raw) } catch {
                taken.refusals[request.device] = PodNetworkError(.refused, name, "move back to the host", error)
            }
        }
    }

    private func takeBackInterfaces(
        _ requests: [RestoreRequest], _ pod: NetlinkSocket, _ taken: inout Taken
    ) throws(PodNetworkError) {
        let present = try requests.links(pod)
        let found = requests.compactMap { request in request.find(in: present.links).map { (request: request, link: $0) } }
        guard !found.isEmpty else { return }
        // Interfaces that are already on the host are cleaned there, or reported.
        _ = InterfaceCleaner(socket: pod).clean(
            found.compactMap { request, link in
                request.record.map { InterfaceCleaner.Item(device: request.device, record: $0, link: link) }
            }, among: present)
        for (request, link) in found { taken.addresses[request.device] = link.address }
        var failures = try pod.execute(found.map { step($0.request, $0.link, index: $0.request.record?.index) })
        // Another interface of the host can have taken the index.
        let busy = Set(failures.filter { $0.code == EBUSY }.map(\.step.device))
        if !busy.isEmpty {
            failures.removeAll { busy.contains($0.step.device) }
            failures += try pod.execute(found.filter { busy.contains($0.request.device) }.map { step($0.request, $0.link, index: nil) })
        }
        for failure in failures { taken.refusals[failure.step.device] = failure.error }
        let domains = found.compactMap { request, _ in present.links.first { $0.name == request.vrf && $0.kind == "vrf" }?.index }
        deleteUnused(Set(domains), pod)
    }

    /// The step that moves the interface out of the pod.
    ///
    /// - Parameter index: the interface's recorded index on the host. It can differ in the pod, if another interface has the index there.
    private func step(_ request: RestoreRequest, _ link: Link, index: Int32?) -> Step {
        let message: NetlinkRequest
        if let record = request.record {
            var change = LinkChange(name: record.name, namespace: host.namespace.descriptor.raw)
            if index != link.index { change.newIndex = index }
            message = .change(link.index, change, "move back to the host as \(record.name)")
        } else {
            message = .deleteLink(link.index, "delete \(link.name)")
        }
        return Step(device: request.device, object: request.label, name: "move back to the host", request: message)
    }

    /// Deletes VRFs without interfaces. A VRF that another claim of the pod uses is deleted with that claim.
    private func deleteUnused(_ domains: Set<Int32>, _ pod: NetlinkSocket) {
        guard !domains.isEmpty else { return }
        let others = (try? pod.links { $0.master.flatMap { domains.contains($0) ? $0 : nil } }) ?? []
        _ = try? pod.execute(all: domains.subtracting(others).map { .deleteLink($0, "delete a VRF") })
    }
}
