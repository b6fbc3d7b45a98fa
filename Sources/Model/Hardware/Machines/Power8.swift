// SPDX-License-Identifier: Apache-2.0

extension MachineDescription {
    /// Power8 with 4 x P100, as a machine description.
    static let power8 = #"""
        {"apiVersion": "nearside/v1alpha1", "kind": "Machine", "name": "Power8 with 4 x P100",
         "source": "hwloc capture of open-mpi/hwloc (BSD-3-Clause)",
         "note": "The capture has no NICs. Drivers, names of RDMA devices and numbers of /dev nodes are assumed in bus order.",
         "numaNodes": [{"id": 0, "distances": [10, 40]}, {"id": 1, "distances": [40, 10]}],
         "functions": [
          {"address": "0002:01:00.0", "vendor": "10de", "device": "15f9", "class": "030200", "path": ["pci0002:00", "0002:00:00.0"], "numaNode": 0, "driver": "nvidia"},
          {"address": "0003:01:00.0", "vendor": "10de", "device": "15f9", "class": "030200", "path": ["pci0003:00", "0003:00:00.0"], "numaNode": 0, "driver": "nvidia"},
          {"address": "000a:01:00.0", "vendor": "10de", "device": "15f9", "class": "030200", "path": ["pci000a:00", "000a:00:00.0"], "numaNode": 1, "driver": "nvidia"},
          {"address": "000b:01:00.0", "vendor": "10de", "device": "15f9", "class": "030200", "path": ["pci000b:00", "000b:00:00.0"], "numaNode": 1, "driver": "nvidia"}
         ]}
        """#
}
