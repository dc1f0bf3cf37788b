/* A device made with libmodbus: serves holding registers on a free port until its standard input closes.

   Arguments: pairs of address and value. Prints its port; then, for every address on standard input, the register there. */

#include <arpa/inet.h>
#include <modbus/modbus.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static modbus_mapping_t *registers;
static modbus_t *context;
static int listener;

static void *serve(void *unused)
{
    uint8_t query[MODBUS_TCP_MAX_ADU_LENGTH];

    for (;;) {
        if (modbus_tcp_accept(context, &listener) < 0)
            return unused;
        for (;;) {
            int length = modbus_receive(context, query);
            if (length < 0)
                break;
            if (length > 0)
                modbus_reply(context, query, length, registers);
        }
        modbus_close(context);
    }
}

int main(int count, char **arguments)
{
    struct sockaddr_in place;
    socklen_t size = sizeof place;
    pthread_t server;
    int address;

    registers = modbus_mapping_new(0, 0, 65536, 0);
    for (int k = 1; k + 1 < count; k += 2)
        registers->tab_registers[atoi(arguments[k])] = (uint16_t)atoi(arguments[k + 1]);
    context = modbus_new_tcp("127.0.0.1", 0);
    listener = modbus_tcp_listen(context, 1);
    if (listener < 0 || getsockname(listener, (struct sockaddr *)&place, &size) < 0)
        return 1;
    printf("%d\n", ntohs(place.sin_port));
    fflush(stdout);
    pthread_create(&server, NULL, serve, NULL);
    while (scanf("%d", &address) == 1) {
        printf("%d\n", registers->tab_registers[address]);
        fflush(stdout);
    }
    return 0;
}
