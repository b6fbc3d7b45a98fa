// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
package import ResourceAPI
import Synchronization

/// Controls for tests: objects, behaviour, and recorded requests.
extension APIServer {
    package func add(_ collection: String, _ object: some Encodable) throws {
        let value = try JSONValue(parsing: try JSONEncoder().encode(object))
        _ = try apply { (store) throws(ObjectStore.Refusal) in try store.create(collection, value) }
    }

    /// Deletes an object like a user.
    package func remove(_ collection: String, _ name: String) throws {
        try apply { (store) throws(ObjectStore.Refusal) in try store.delete(collection, name, nil) }
    }

    /// Sets the exact bytes of all later answers to reads of the object, for texts that are not valid JSON.
    package func answer(_ collection: String, _ name: String, with text: [UInt8]) {
        state.withLock { $0.texts["\(collection)/\(name)"] = text }
    }

    package func slices() throws -> [ResourceSlice] {
        let data = try JSONEncoder().encode(state.withLock { $0.store.list("resourceslices") })
        return try JSONDecoder().decode([ResourceSlice].self, from: data)
    }

    /// Deletes all slices, like a kubelet at its start.
    package func deleteAllSlices() throws {
        for slice in try slices() {
            try apply { (store) throws(ObjectStore.Refusal) in
                try store.delete("resourceslices", slice.metadata.name ?? "", nil)
            }
        }
    }

    /// Method and path of all requests so far.
    package var requests: [String] { state.withLock { $0.requests } }

    /// True if all slices of the newest generation exist; a scheduler uses them only then.
    package func hasWholePool() throws -> Bool {
        let slices = try slices()
        let generation = slices.map(\.spec.pool.generation).max()
        let newest = slices.filter { $0.spec.pool.generation == generation }
        return !newest.isEmpty && newest.allSatisfy { $0.spec.pool.resourceSliceCount == Int64(newest.count) }
            && newest.count == slices.count
    }

    /// Bytes of all requests and answers so far, including watches, without headers.
    package var bytes: Int { state.withLock { $0.bytes } }

    /// Disables exactly these feature gates.
    package func switchOff(_ gates: Set<FeatureGate>) { state.withLock { $0.store.gatesOff = gates } }

    /// Serves only these versions of resource.k8s.io.
    package func serve(only versions: Set<ResourceAPIVersion>) { state.withLock { $0.served = versions } }

    /// Denies drivers the status of a claim's devices (granular authorization, Kubernetes 1.36).
    package func denyStatus() { state.withLock { $0.deniesStatus = true } }

    /// Applies manifests/node-restriction.yaml for the token of one node. Changes by tests are not judged.
    package func restrict(to rules: AdmissionRules) { state.withLock { $0.admission = rules } }

    /// Drops old changes, so that a watch has to begin at the present version.
    package func compact() { state.withLock { $0.store.compact() } }

    package func events() throws -> [Event] {
        let data = try JSONEncoder().encode(state.withLock { $0.store.list("events/default") })
        return try JSONDecoder().decode([Event].self, from: data)
    }

    package func claim(_ name: String) throws -> ResourceClaim {
        let value = try apply { (store) throws(ObjectStore.Refusal) in try store.get("resourceclaims/default", name) }
        return try ResourceClaim(json: value.text)
    }

    /// Reserves an allocated claim for a pod, like the scheduler.
    package func reserve(_ name: String, for pod: ConsumerReference) throws {
        var claim = try claim(name)
        let reserved = claim.status?.reservedFor ?? []
        claim.status?.reservedFor = reserved + [pod]
        try remove("resourceclaims/default", name)
        try add("resourceclaims/default", claim)
    }

    package func pod(_ name: String) throws -> Pod {
        let value = try apply { (store) throws(ObjectStore.Refusal) in try store.get("pods/default", name) }
        return try JSONDecoder().decode(Pod.self, from: JSONEncoder().encode(value))
    }

    /// Replaces a slice, like another writer.
    package func replace(_ slice: ResourceSlice) throws {
        let value = try JSONValue(parsing: JSONEncoder().encode(slice))
        try apply { (store) throws(ObjectStore.Refusal) in try store.replace("resourceslices", slice.metadata.name ?? "", value) }
    }

    package func inject(_ fault: Fault) { state.withLock { $0.faults.append(fault) } }

    /// Ends all faults.
    package func recover() { state.withLock { $0.faults = [] } }
}
