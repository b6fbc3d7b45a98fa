// SPDX-License-Identifier: Apache-2.0

import Linux
import Netlink

/// Calls the ``FunctionKeeper`` when devices are added or removed, or claims get or release devices.
final class FunctionSource: EventSource {
    private let keeper: FunctionKeeper
    private let events: EventSocket
    private let service: AttachmentService

    init(_ keeper: FunctionKeeper, events: EventSocket, service: AttachmentService) {
        (self.keeper, self.events, self.service) = (keeper, events, service)
    }

    var descriptors: [Descriptor] { [events.descriptor, keeper.descriptor].compactMap(\.self) }
    var deadline: Deadline? { nil }

    func handle(_ ready: ReadyDescriptors) {
        let isChange = ready.contains(events.descriptor) && events.drain { _ in true }
        keeper.update(inUse: service.devicesInUse, isChange: isChange)
    }
}
