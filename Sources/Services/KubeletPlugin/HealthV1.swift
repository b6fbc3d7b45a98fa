// SPDX-License-Identifier: Apache-2.0

import GRPCCore
import Glibc
import KubeletAPI
import SwiftProtobuf

/// The health stream in API version v1: sends all devices after each change, and at intervals.
struct HealthV1: HealthV1DRAResourceHealth.SimpleServiceProtocol {
    let board: HealthBoard

    func nodeWatchResources(
        request: HealthV1NodeWatchResourcesRequest, response: RPCWriter<HealthV1NodeWatchResourcesResponse>, context: ServerContext
    ) async throws {
        try await HealthStream.run(board) {
            var answer = HealthV1NodeWatchResourcesResponse()
            answer.devices = board.conditions.map(HealthV1DeviceHealth.init)
            try await response.write(answer)
        }
    }
}

extension HealthV1DeviceHealth {
    init(_ condition: DeviceHealth) {
        self.init()
        device.poolName = condition.pool
        device.deviceName = condition.device
        health = condition.isHealthy ? .healthy : .unhealthy
        lastUpdatedTime = Int64(time(nil))
        healthCheckTimeoutSeconds = HealthStream.timeout.components.seconds
        message = String(decoding: condition.message.utf8.prefix(HealthStream.messageBytes), as: UTF8.self)
    }
}
