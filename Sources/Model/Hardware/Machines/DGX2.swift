// SPDX-License-Identifier: Apache-2.0

extension MachineDescription {
    /// DGX-2, as a machine description.
    static let dgx2 = #"""
        {"apiVersion": "nearside/v1alpha1", "kind": "Machine", "name": "DGX-2",
         "source": "hwloc capture of open-mpi/hwloc (BSD-3-Clause)",
         "note": "The capture has no NICs. Drivers, names of RDMA devices and numbers of /dev nodes are assumed in bus order.",
         "numaNodes": [{"id": 0, "distances": [10, 21]}, {"id": 1, "distances": [21, 10]}],
         "functions": [
          {"address": "0000:34:00.0", "vendor": "10de", "device": "1db8", "class": "030200", "path": ["pci0000:2b", "0000:2b:00.0", "0000:2c:00.0", "0000:2d:04.0", "0000:32:00.0", "0000:33:00.0"], "numaNode": 0, "driver": "nvidia"},
          {"address": "0000:36:00.0", "vendor": "10de", "device": "1db8", "class": "030200", "path": ["pci0000:2b", "0000:2b:00.0", "0000:2c:00.0", "0000:2d:04.0", "0000:32:00.0", "0000:33:10.0"], "numaNode": 0, "driver": "nvidia"},
          {"address": "0000:39:00.0", "vendor": "10de", "device": "1db8", "class": "030200", "path": ["pci0000:2b", "0000:2b:00.0", "0000:2c:00.0", "0000:2d:0c.0", "0000:37:00.0", "0000:38:00.0"], "numaNode": 0, "driver": "nvidia"},
          {"address": "0000:3b:00.0", "vendor": "10de", "device": "1db8", "class": "030200", "path": ["pci0000:2b", "0000:2b:00.0", "0000:2c:00.0", "0000:2d:0c.0", "0000:37:00.0", "0000:38:10.0"], "numaNode": 0, "driver": "nvidia"},
          {"address": "0000:57:00.0", "vendor": "10de", "device": "1db8", "class": "030200", "path": ["pci0000:4e", "0000:4e:00.0", "0000:4f:00.0", "0000:50:04.0", "0000:55:00.0", "0000:56:00.0"], "numaNode": 0, "driver": "nvidia"},
          {"address": "0000:59:00.0", "vendor": "10de", "device": "1db8", "class": "030200", "path": ["pci0000:4e", "0000:4e:00.0", "0000:4f:00.0", "0000:50:04.0", "0000:55:00.0", "0000:56:10.0"], "numaNode": 0, "driver": "nvidia"},
          {"address": "0000:5c:00.0", "vendor": "10de", "device": "1db8", "class": "030200", "path": ["pci0000:4e", "0000:4e:00.0", "0000:4f:00.0", "0000:50:0c.0", "0000:5a:00.0", "0000:5b:00.0"], "numaNode": 0, "driver": "nvidia"},
          {"address": "0000:5e:00.0", "vendor": "10de", "device": "1db8", "class": "030200", "path": ["pci0000:4e", "0000:4e:00.0", "0000:4f:00.0", "0000:50:0c.0", "0000:5a:00.0", "0000:5b:10.0"], "numaNode": 0, "driver": "nvidia"},
          {"address": "0000:61:00.0", "vendor": "10de", "device": "1ac2", "class": "068000", "path": ["pci0000:4e", "0000:4e:00.0", "0000:4f:00.0", "0000:50:10.0", "0000:5f:00.0", "0000:60:02.0"], "numaNode": 0},
          {"address": "0000:62:00.0", "vendor": "10de", "device": "1ac2", "class": "068000", "path": ["pci0000:4e", "0000:4e:00.0", "0000:4f:00.0", "0000:50:10.0", "0000:5f:00.0", "0000:60:03.0"], "numaNode": 0},
          {"address": "0000:63:00.0", "vendor": "10de", "device": "1ac2", "class": "068000", "path": ["pci0000:4e", "0000:4e:00.0", "0000:4f:00.0", "0000:50:10.0", "0000:5f:00.0", "0000:60:04.0"], "numaNode": 0},
          {"address": "0000:65:00.0", "vendor": "10de", "device": "1ac2", "class": "068000", "path": ["pci0000:4e", "0000:4e:00.0", "0000:4f:00.0", "0000:50:10.0", "0000:5f:00.0", "0000:60:0a.0"], "numaNode": 0},
          {"address": "0000:67:00.0", "vendor": "10de", "device": "1ac2", "class": "068000", "path": ["pci0000:4e", "0000:4e:00.0", "0000:4f:00.0", "0000:50:10.0", "0000:5f:00.0", "0000:60:0c.0"], "numaNode": 0},
          {"address": "0000:b7:00.0", "vendor": "10de", "device": "1db8", "class": "030200", "path": ["pci0000:ae", "0000:ae:00.0", "0000:af:00.0", "0000:b0:04.0", "0000:b5:00.0", "0000:b6:00.0"], "numaNode": 1, "driver": "nvidia"},
          {"address": "0000:b9:00.0", "vendor": "10de", "device": "1db8", "class": "030200", "path": ["pci0000:ae", "0000:ae:00.0", "0000:af:00.0", "0000:b0:04.0", "0000:b5:00.0", "0000:b6:10.0"], "numaNode": 1, "driver": "nvidia"},
          {"address": "0000:bc:00.0", "vendor": "10de", "device": "1db8", "class": "030200", "path": ["pci0000:ae", "0000:ae:00.0", "0000:af:00.0", "0000:b0:0c.0", "0000:ba:00.0", "0000:bb:00.0"], "numaNode": 1, "driver": "nvidia"},
          {"address": "0000:be:00.0", "vendor": "10de", "device": "1db8", "class": "030200", "path": ["pci0000:ae", "0000:ae:00.0", "0000:af:00.0", "0000:b0:0c.0", "0000:ba:00.0", "0000:bb:10.0"], "numaNode": 1, "driver": "nvidia"},
          {"address": "0000:c1:00.0", "vendor": "10de", "device": "1ac2", "class": "068000", "path": ["pci0000:ae", "0000:ae:00.0", "0000:af:00.0", "0000:b0:10.0", "0000:bf:00.0", "0000:c0:02.0"], "numaNode": 1},
          {"address": "0000:c2:00.0", "vendor": "10de", "device": "1ac2", "class": "068000", "path": ["pci0000:ae", "0000:ae:00.0", "0000:af:00.0", "0000:b0:10.0", "0000:bf:00.0", "0000:c0:03.0"], "numaNode": 1},
          {"address": "0000:c3:00.0", "vendor": "10de", "device": "1ac2", "class": "068000", "path": ["pci0000:ae", "0000:ae:00.0", "0000:af:00.0", "0000:b0:10.0", "0000:bf:00.0", "0000:c0:04.0"], "numaNode": 1},
          {"address": "0000:c5:00.0", "vendor": "10de", "device": "1ac2", "class": "068000", "path": ["pci0000:ae", "0000:ae:00.0", "0000:af:00.0", "0000:b0:10.0", "0000:bf:00.0", "0000:c0:0a.0"], "numaNode": 1},
          {"address": "0000:c6:00.0", "vendor": "10de", "device": "1ac2", "class": "068000", "path": ["pci0000:ae", "0000:ae:00.0", "0000:af:00.0", "0000:b0:10.0", "0000:bf:00.0", "0000:c0:0b.0"], "numaNode": 1},
          {"address": "0000:c7:00.0", "vendor": "10de", "device": "1ac2", "class": "068000", "path": ["pci0000:ae", "0000:ae:00.0", "0000:af:00.0", "0000:b0:10.0", "0000:bf:00.0", "0000:c0:0c.0"], "numaNode": 1},
          {"address": "0000:e0:00.0", "vendor": "10de", "device": "1db8", "class": "030200", "path": ["pci0000:d7", "0000:d7:00.0", "0000:d8:00.0", "0000:d9:04.0", "0000:de:00.0", "0000:df:00.0"], "numaNode": 1, "driver": "nvidia"},
          {"address": "0000:e2:00.0", "vendor": "10de", "device": "1db8", "class": "030200", "path": ["pci0000:d7", "0000:d7:00.0", "0000:d8:00.0", "0000:d9:04.0", "0000:de:00.0", "0000:df:10.0"], "numaNode": 1, "driver": "nvidia"},
          {"address": "0000:e5:00.0", "vendor": "10de", "device": "1db8", "class": "030200", "path": ["pci0000:d7", "0000:d7:00.0", "0000:d8:00.0", "0000:d9:0c.0", "0000:e3:00.0", "0000:e4:00.0"], "numaNode": 1, "driver": "nvidia"},
          {"address": "0000:e7:00.0", "vendor": "10de", "device": "1db8", "class": "030200", "path": ["pci0000:d7", "0000:d7:00.0", "0000:d8:00.0", "0000:d9:0c.0", "0000:e3:00.0", "0000:e4:10.0"], "numaNode": 1, "driver": "nvidia"}
         ]}
        """#
}
